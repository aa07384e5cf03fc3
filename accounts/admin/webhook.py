"""What providers told of by themselves: a reason to ask, and never the truth."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import WebhookInbox

from . import show
from .base import HistoryAdmin


class StatusFilter(admin.SimpleListFilter):
    """What became of an event."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request, model_admin):
        return WebhookInbox.Status.choices

    def queryset(self, request, queryset):
        if self.value() == WebhookInbox.Status.FETCHED:
            return queryset.exclude(fetched_at=None)
        if self.value() == WebhookInbox.Status.WAITING:
            return queryset.waiting()
        if self.value() == WebhookInbox.Status.GIVEN_UP:
            return queryset.given_up()
        return queryset


@admin.register(WebhookInbox)
class WebhookInboxAdmin(HistoryAdmin):
    """Each event once, however often it was delivered; what it said is kept for a week."""

    workspace = "connection__workspace"
    list_display = ["event_id", "connection", "came", "state", "deliveries"]
    list_filter = [StatusFilter, "connection__provider"]
    list_select_related = ["connection"]
    search_fields = ["event_id", "connection__label"]
    fieldsets = [
        (None, {"fields": ["event_id", "connection_link", ("came", "deliveries")]}),
        ("What became of it", {"fields": [("state", "fetched_at"), "tries"]}),
        ("As it came (never believed)", {"fields": ["said"]}),
    ]

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        listing = request.resolver_match.url_name.endswith("_changelist")
        return rows.defer("body") if listing else rows

    @admin.display(description="Connection")
    def connection_link(self, row: WebhookInbox) -> SafeString:
        return show.link(row.connection)

    @admin.display(description="Came", ordering="created")
    def came(self, row: WebhookInbox) -> str:
        return show.exact(row.created)

    @admin.display(description="Status")
    def state(self, row: WebhookInbox) -> SafeString:
        return show.status(row.status)

    @admin.display(description="Body")
    def said(self, row: WebhookInbox) -> SafeString:
        if row.body is None:
            return format_html("{}", "Erased after a week")
        return format_html('<pre class="bs-pre">{}</pre>', row.text)
