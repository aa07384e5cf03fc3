"""Who changed what, when and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from accounts.models import AuditEvent

from . import show
from .base import HistoryAdmin, Panel, Role

MOST = 3  # fields that a line of the list names
LONGEST = 64  # characters of it: two lines on a phone


def said(told: Mapping[str, Any]) -> str:
    """Return the first fields of an event in few words."""
    parts = [
        f"{name}: {'–' if value in (None, '') else value}"
        for name, value in sorted(told.items())[:MOST]
    ]
    text = ", ".join([*parts, "…"] if len(told) > MOST else parts)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


@admin.register(AuditEvent)
class AuditEventAdmin(HistoryAdmin):
    """The audit, newest first: read by admins, written by nobody."""

    list_display = ["moment", "action", "about", "actor", "via", "changes", "reason"]
    list_display_links = ["moment"]
    list_filter = ["via", "action", "object_kind"]
    search_fields = ["=object_id", "actor", "action", "reason"]
    search_help_text = "Who, what, why, or the id of an object"
    fieldsets = [
        (None, {"fields": [("action", "moment"), ("object_kind", "object_id")]}),
        ("Who", {"fields": [("actor", "via"), ("user_id", "key_id"), "request_id"]}),
        ("Why", {"fields": ["reason"]}),
        ("Seal", {"fields": [("link_position", "link_hash")]}),
    ]

    def has_module_permission(self, request) -> bool:
        return self.allows(request, Role.ADMIN)

    def has_view_permission(self, request, obj=None) -> bool:
        return self.allows(request, Role.ADMIN, obj)

    def workspace_of(self, row: AuditEvent) -> Any:
        return row.workspace_id

    def get_queryset(self, request):
        rows = super().get_queryset(request).select_related("seal")
        if request.user.is_superuser:
            return rows
        return rows.filter(
            workspace__memberships__user=request.user,
            workspace__memberships__role=Role.ADMIN,
        )

    @admin.display(description="When", ordering="pk")
    def moment(self, row: AuditEvent) -> str:
        return show.exact(row.created)

    @admin.display(description="About")
    def about(self, row: AuditEvent) -> str:
        return f"{row.object_kind} {row.object_id[:8]}".strip() or show.NOTHING

    @admin.display(description="Now")
    def changes(self, row: AuditEvent) -> str:
        return said(row.new) or show.NOTHING

    @admin.display(description="Link of the chain")
    def link_position(self, row: AuditEvent) -> str:
        seal = getattr(row, "seal", None)
        return str(seal.position) if seal else "not sealed yet"

    @admin.display(description="Hash")
    def link_hash(self, row: AuditEvent) -> str | SafeString:
        seal = getattr(row, "seal", None)
        return seal.hash if seal else show.NOTHING

    def panels(self, request, row: AuditEvent) -> Iterable[Panel]:
        names = sorted(row.old.keys() | row.new.keys())
        yield Panel(
            "What changed",
            ["Field", "Was", "Is"],
            [[n, self._value(row.old, n), self._value(row.new, n)] for n in names],
            empty="It is told without figures.",
        )

    def _value(self, told: dict, name: str) -> str:
        return str(told[name]) if told.get(name) not in (None, "") else show.NOTHING
