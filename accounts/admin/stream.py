"""Which streams are held open, and how they are."""

from __future__ import annotations

from django.contrib import admin

from accounts.models import Stream

from . import show
from .base import HistoryAdmin


@admin.register(Stream)
class StreamAdmin(HistoryAdmin):
    """Balances that come by themselves; while one does not, its connection is asked."""

    workspace = "connection__workspace"
    list_display = ["connection", "name", "live", "why", "began", "frames", "asked"]
    list_filter = ["state", "connection__provider"]
    list_select_related = ["connection"]
    search_fields = ["connection__label", "reason"]
    fieldsets = [
        (None, {"fields": ["connection_link", "name", "live", "why", "began"]}),
        ("Next", {"fields": ["next_try_at", "lived_at"]}),
        ("Held by", {"fields": ["holder", "lease_until"]}),
        ("So far", {"fields": ["frames", "connections", "asked"]}),
    ]

    def get_queryset(self, request):
        return super().get_queryset(request).in_use()

    @admin.display(description="Connection")
    def connection_link(self, row: Stream) -> str:
        return show.link(row.connection)

    @admin.display(description="State", ordering="state")
    def live(self, row: Stream) -> str:
        return show.status(row.shown_state)

    @admin.display(description="Why")
    def why(self, row: Stream) -> str:
        return row.reason or show.NOTHING

    @admin.display(description="Since", ordering="since")
    def began(self, row: Stream) -> str:
        return show.when(row.since)

    @admin.display(description="Asked over REST", ordering="requests")
    def asked(self, row: Stream) -> str:
        return f"{row.requests:,} times"
