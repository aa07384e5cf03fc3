"""What happened, who was told, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import admin
from django.utils.safestring import SafeString

from accounts.models import Delivery, Event

from . import show
from .base import HistoryAdmin, Panel


def deliveries_panel(rows: Iterable[Delivery]) -> Panel:
    """Return who was told, over what, and what came of it."""
    return Panel(
        "Told to",
        ["Who", "Channel", "State", "Tries", "Next try", "Arrived", "Answer"],
        [
            [
                row.recipient,
                f"{row.channel_name} ({row.channel_kind})",
                show.status(row.status),
                row.attempts,
                show.due(row.next_attempt_at),
                show.when(row.delivered_at),
                row.answer or show.NOTHING,
            ]
            for row in rows
        ],
        empty="Nobody who can be reached wants to hear of this.",
    )


@admin.register(Event)
class EventAdmin(HistoryAdmin):
    """What happened, newest first."""

    list_display = ["moment", "text", "kind", "phase", "grade"]
    list_display_links = ["moment"]
    list_filter = ["kind", "severity", "phase"]
    search_fields = ["text"]
    date_hierarchy = "created"
    fieldsets = [
        (None, {"fields": ["text", ("kind", "phase"), ("grade", "moment")]}),
        (None, {"fields": [("subject_kind", "subject_id"), "workspace", "data"]}),
    ]

    @admin.display(description="When", ordering="created")
    def moment(self, row: Event) -> str:
        return show.exact(row.created)

    @admin.display(description="Severity", ordering="severity")
    def grade(self, row: Event) -> SafeString:
        return show.status(row.severity)

    def panels(self, request, row: Event) -> Iterable[Panel]:
        yield deliveries_panel(row.deliveries.select_related("recipient"))


@admin.register(Delivery)
class DeliveryAdmin(HistoryAdmin):
    """What was sent, to whom, and what came of it."""

    workspace = "event__workspace"
    list_display = [
        "moment",
        "event",
        "recipient",
        "way",
        "state",
        "attempts",
        "answer",
    ]
    list_display_links = ["moment"]
    list_filter = ["status", "channel_kind"]
    list_select_related = ["event", "recipient"]
    fieldsets = [
        (None, {"fields": ["event_link", "recipient", "way", "state"]}),
        ("When", {"fields": ["created", "next_attempt_at", "delivered_at"]}),
        ("Tries", {"fields": ["attempts", "answer"]}),
    ]

    @admin.display(description="When", ordering="created")
    def moment(self, row: Delivery) -> str:
        return show.exact(row.created)

    @admin.display(description="Event")
    def event_link(self, row: Delivery) -> SafeString:
        return show.link(row.event)

    @admin.display(description="Channel")
    def way(self, row: Delivery) -> str:
        return f"{row.channel_name} ({row.channel_kind})"

    @admin.display(description="State", ordering="status")
    def state(self, row: Delivery) -> SafeString:
        return show.status(row.status, row.answer)
