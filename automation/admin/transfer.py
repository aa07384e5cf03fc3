from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString

from accounts.admin import show
from accounts.admin.base import HistoryAdmin, Panel
from automation.models import Transfer


@admin.register(Transfer)
class TransferAdmin(HistoryAdmin):
    """Every provider call that moved money, or may have."""

    workspace = "run__rule__workspace"
    list_display = [
        "moment",
        "rule",
        "way",
        "amount_money",
        "state",
        "person",
        "verified",
        "attempts",
    ]
    list_display_links = ["moment"]
    list_filter = ["needs_person", "status", "verified", "may_have_moved"]
    list_select_related = ["run__rule", "source__parent", "target__parent"]
    search_fields = ["=id", "reference", "source__name", "target__name", "error"]
    date_hierarchy = "created"
    ordering = ["-created", "run", "move", "step"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("state", "amount_money"),
                    ("source_link", "target_link"),
                    ("person", "verified"),
                    ("may_have_moved", "attempts"),
                ]
            },
        ),
        (
            "Traces",
            {"fields": ["id", "reference", "run_link", ("move", "step"), "after"]},
        ),
        (
            "When",
            {
                "fields": [
                    ("created", "first_sent_at"),
                    ("sent_at", "settled_at"),
                    ("next_attempt_at", "expires_at"),
                ]
            },
        ),
        ("What went wrong", {"fields": ["error_code", "error"]}),
    ]

    @admin.display(description="Created", ordering="created")
    def moment(self, row: Transfer) -> str:
        return show.exact(row.created)

    @admin.display(description="Rule")
    def rule(self, row: Transfer) -> str:
        return str(row.run.rule)

    @admin.display(description="From → to")
    def way(self, row: Transfer) -> str:
        return str(row)

    @admin.display(description="Amount", ordering="amount")
    def amount_money(self, row: Transfer) -> SafeString:
        return show.money(int(row.amount), row.asset)

    @admin.display(description="Status", ordering="status")
    def state(self, row: Transfer) -> SafeString:
        return show.status(row.status, row.error)

    @admin.display(description="Needs a person", ordering="needs_person")
    def person(self, row: Transfer) -> SafeString:
        return show.label("needs a person", "bad") if row.needs_person else show.NOTHING

    @admin.display(description="From")
    def source_link(self, row: Transfer) -> SafeString:
        return show.link(row.source, show.place(row.source))

    @admin.display(description="To")
    def target_link(self, row: Transfer) -> SafeString:
        return show.link(row.target, show.place(row.target))

    @admin.display(description="Run")
    def run_link(self, row: Transfer) -> SafeString:
        return show.link(row.run)

    @admin.display(description="Only after")
    def after(self, row: Transfer) -> SafeString:
        return show.link(row.depends_on)


def transfers_panel(rows: QuerySet[Transfer]) -> Panel:
    """Return the transfers of a run, in the order in which they are sent."""
    known = rows.select_related("source", "target").order_by("move", "step")
    return Panel(
        "Transfers",
        [
            "From → to",
            "Amount",
            "Status",
            "Verified",
            "Dedupe id",
            "Reference",
            "Error",
        ],
        [
            [
                show.link(row),
                show.money(int(row.amount), row.asset),
                show.status(
                    "needs person" if row.needs_person else row.status, row.error
                ),
                show.label("verified", "ok") if row.verified else show.NOTHING,
                str(row.pk),
                row.reference or show.NOTHING,
                row.error or show.NOTHING,
            ]
            for row in known
        ],
        empty="Nothing was sent.",
    )
