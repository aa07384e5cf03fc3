"""Readings that are not believed, and the proof of what a balance consists of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString
from django.utils.timezone import now

from accounts import services
from accounts.models import Account, QuarantinedReading
from accounts.validator import WORDS

from . import inputs, show
from .base import HistoryAdmin, Panel, tell, verb, warn
from .panels import NEWEST

PROVED = timedelta(days=30)
RIGHT = ("Opening", "Moved", "Unexplained", "Closing")


def waits(row: QuarantinedReading) -> bool:
    """Say whether a person may believe this reading."""
    return row.can_be_accepted


def money_of(row: QuarantinedReading, name: str) -> SafeString:
    """Return a figure as money, or as it came."""
    amount = getattr(row, name)
    if amount is None or row.account is None:
        return show.noted(str(row.raw.get(name, "")), "")
    return show.money(amount, row.account.asset)


def quarantine_panel(rows: QuerySet[QuarantinedReading], more: str = "") -> Panel:
    """Return readings that were not believed, the newest first."""
    known = rows.select_related("account").order_by("-created")
    return Panel(
        "Quarantine",
        ["Rule", "What is wrong", "Total", "Seen", "Last", "Status"],
        [
            [
                show.link(row, row.get_rule_display()),
                row.text,
                money_of(row, "total"),
                row.seen,
                show.when(row.last_seen_at),
                show.status(row.status),
            ]
            for row in known[:NEWEST]
        ],
        more=more,
        more_text="All of its quarantine",
    )


def proof_panel(row: Account) -> Panel:
    """Return what the last 30 days of an account add up to, and where they do not."""
    moment = now()
    proof = services.proof_of(row, moment - PROVED, moment)
    lines = [] if proof.all is None else [(show.words("all of it"), proof.all)]
    newest = proof.gaps[::-1][:NEWEST]
    lines += [(show.status(WORDS[proof.severity]), gap) for gap in newest]
    return Panel(
        "Proof of balance, 30 days",
        ["", "From", "To", "Opening", "Moved", "Unexplained", "Closing"],
        [
            [
                what,
                show.exact(part.since),
                show.exact(part.until),
                show.money(part.opening, row.asset),
                show.change(part.known, row.asset),
                show.change(part.unexplained, row.asset),
                show.money(part.closing, row.asset),
            ]
            for what, part in lines
        ],
        empty="No two balances are known yet.",
        right=RIGHT,
    )


class ReasonForm(forms.Form):
    """Why a person believes what a rule does not."""

    reason = inputs.text(max_length=150)

    def __init__(self, *args, row: QuarantinedReading, **kwargs) -> None:
        super().__init__(*args, **kwargs)


@admin.register(QuarantinedReading)
class QuarantinedReadingAdmin(HistoryAdmin):
    """Readings kept aside: never served, until a person believes one."""

    workspace = "connection__workspace"
    verbs = ("accept",)
    list_display = [
        "moment",
        "rule",
        "where",
        "text",
        "total_money",
        "grade",
        "state",
        "seen",
    ]
    list_display_links = ["moment"]
    list_filter = ["status", "rule", "severity"]
    list_select_related = ["account", "connection"]
    search_fields = ["text", "account__name", "connection__label"]
    date_hierarchy = "created"
    fieldsets = [
        (None, {"fields": [("rule", "grade"), "text", ("where", "state")]}),
        (
            "The figures as they came",
            {
                "fields": [
                    ("total_money", "available_money", "held_money"),
                    ("as_of", "fetched_at", "source"),
                    "raw",
                ]
            },
        ),
        ("When", {"fields": [("created", "last_seen_at", "seen"), "sync_link"]}),
        ("What was decided", {"fields": [("decided_by", "decided_at"), "reason"]}),
    ]

    @admin.display(description="When", ordering="created")
    def moment(self, row: QuarantinedReading) -> str:
        return show.exact(row.created)

    @admin.display(description="Where")
    def where(self, row: QuarantinedReading) -> SafeString:
        return show.link(row.account or row.connection)

    @admin.display(description="Total")
    def total_money(self, row: QuarantinedReading) -> SafeString:
        return money_of(row, "total")

    @admin.display(description="Available")
    def available_money(self, row: QuarantinedReading) -> SafeString:
        return money_of(row, "available")

    @admin.display(description="Held")
    def held_money(self, row: QuarantinedReading) -> SafeString:
        return money_of(row, "held")

    @admin.display(description="Severity", ordering="severity")
    def grade(self, row: QuarantinedReading) -> SafeString:
        return show.status(row.severity)

    @admin.display(description="Status", ordering="status")
    def state(self, row: QuarantinedReading) -> SafeString:
        return show.status(row.status)

    @admin.display(description="Sync")
    def sync_link(self, row: QuarantinedReading) -> SafeString:
        return show.link(row.sync, show.exact(row.sync.created))

    def notices(self, request, row: QuarantinedReading) -> Iterable[str]:
        if waits(row) and row.names_the_gone:
            yield "They stay as they were until they are told again, or you accept."
        elif waits(row):
            yield "The last good balance is shown meanwhile, and no rule acts on it."

    @verb(
        "Accept",
        tone="main",
        form=ReasonForm,
        hint="Believe what it says",
        shown=waits,
    )
    def accept(self, request, row: QuarantinedReading, reason: str) -> None:
        try:
            services.accept_reading(row, user=request.user, reason=reason)
        except services.CannotAccept as error:
            warn(request, str(error))
            return
        if row.names_the_gone:
            tell(request, "What it names is gone from now on.")
        else:
            tell(request, f"{row.account} holds what this reading says.")
