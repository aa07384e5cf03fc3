"""Figures that should agree and do not, what they are about, and who decided what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import services
from accounts.models import Discrepancy
from accounts.validator import WORDS

from . import show
from .base import HistoryAdmin, Panel, tell, verb, warn
from .panels import NEWEST


def is_open(row: Discrepancy) -> bool:
    return row.status == Discrepancy.Status.OPEN


def difference(row: Discrepancy) -> str:
    """Return by how much the actual figure is off, as money."""
    return show.change(row.actual - row.expected, row.account.asset)


# How the subjects of discrepancies are shown, by the start of the discrepancies' name.
SUBJECTS: dict[str, Callable[[Sequence[Discrepancy]], Iterable[SafeString]]] = {}


def about(rows: Iterable[Discrepancy]) -> dict[UUID, SafeString]:
    """Return what of its account each is about, by its id; mostly the account itself."""
    with_subject = [row for row in rows if row.subject]
    told = {row.pk: format_html("{}", row.subject) for row in with_subject}
    for name, tell_all in SUBJECTS.items():
        mine = [row for row in with_subject if row.name.startswith(name)]
        told |= zip((row.pk for row in mine), tell_all(mine), strict=True)
    return told


def discrepancies_panel(rows: QuerySet[Discrepancy], more: str = "") -> Panel:
    """Return discrepancies, the newest first, and what was decided about each."""
    known = rows.select_related("account__parent", "decided_by").order_by("-created")
    newest = list(known[:NEWEST])
    subjects = about(newest)
    return Panel(
        "Discrepancies",
        ["What", "About", "Expected", "Actual", "Difference", "Status", "Decided"],
        [
            [
                show.link(row, show.words(row.name).capitalize()),
                subjects.get(row.pk, show.NOTHING),
                show.money(row.expected, row.account.asset),
                show.money(row.actual, row.account.asset),
                difference(row),
                show.status(row.status),
                decided(row),
            ]
            for row in newest
        ],
        empty="Everything agrees.",
        more=more,
        more_text="All discrepancies",
        right=("Expected", "Actual", "Difference"),
    )


def decided(row: Discrepancy) -> SafeString:
    """Return who decided about a discrepancy, and when."""
    if row.decided_at is None:
        return show.NOTHING
    return format_html("{} {}", row.decided_by or "somebody", show.when(row.decided_at))


@admin.register(Discrepancy)
class DiscrepancyAdmin(HistoryAdmin):
    """Figures that should agree and do not. A person accepts or ignores them."""

    workspace = "account__workspace"
    verbs = ("accept", "ignore")
    actions = ["accept_chosen", "ignore_chosen"]
    list_display = [
        "what",
        "account",
        "about",
        "ours_money",
        "theirs_money",
        "gap_money",
        "grade",
        "state",
        "seen",
    ]
    list_filter = ["status", "severity"]
    list_select_related = ["account"]
    search_fields = ["name", "account__name"]
    fieldsets = [
        (
            None,
            {"fields": [("account_link", "about"), ("what", "state"), "grade"]},
        ),
        (None, {"fields": [("ours_money", "theirs_money", "gap_money")]}),
        ("When", {"fields": [("created", "last_seen_at")]}),
        ("What was decided", {"fields": [("decided_by", "decided_at")]}),
    ]

    def get_changelist_instance(self, request):
        shown = super().get_changelist_instance(request)
        told = about(shown.result_list)  # all at once, not one by one
        for row in shown.result_list:
            row.about = told
        return shown

    @admin.display(description="What differs", ordering="name")
    def what(self, row: Discrepancy) -> str:
        return show.words(row.name).capitalize()

    @admin.display(description="About", ordering="subject")
    def about(self, row: Discrepancy) -> str:
        told = row.about if hasattr(row, "about") else about([row])
        return told.get(row.pk, show.NOTHING)

    @admin.display(description="Account")
    def account_link(self, row: Discrepancy) -> str:
        return show.link(row.account, show.place(row.account))

    @admin.display(description="Expected")
    def ours_money(self, row: Discrepancy) -> str:
        return show.money(row.expected, row.account.asset)

    @admin.display(description="Actual")
    def theirs_money(self, row: Discrepancy) -> str:
        return show.money(row.actual, row.account.asset)

    @admin.display(description="Difference")
    def gap_money(self, row: Discrepancy) -> str:
        return difference(row)

    @admin.display(description="Severity", ordering="severity")
    def grade(self, row: Discrepancy) -> str:
        return show.status(row.severity, WORDS[row.severity])

    @admin.display(description="Status", ordering="status")
    def state(self, row: Discrepancy) -> str:
        return show.status(row.status)

    @admin.display(description="Last seen", ordering="last_seen_at")
    def seen(self, row: Discrepancy) -> str:
        return show.when(row.last_seen_at)

    @verb("Accept", tone="main", hint="The difference is explained", shown=is_open)
    def accept(self, request, row: Discrepancy) -> None:
        self._close(request, [row.pk], Discrepancy.Status.ACCEPTED)

    @verb("Ignore", hint="Do not show it any more", shown=is_open)
    def ignore(self, request, row: Discrepancy) -> None:
        self._close(request, [row.pk], Discrepancy.Status.IGNORED)

    @admin.action(description="Accept", permissions=["operate"])
    def accept_chosen(self, request, rows: QuerySet[Discrepancy]) -> None:
        self._close(request, self.operable(request, rows), Discrepancy.Status.ACCEPTED)

    @admin.action(description="Ignore", permissions=["operate"])
    def ignore_chosen(self, request, rows: QuerySet[Discrepancy]) -> None:
        self._close(request, self.operable(request, rows), Discrepancy.Status.IGNORED)

    def _close(self, request, ids: list, outcome: Discrepancy.Status) -> None:
        rows = Discrepancy.objects.filter(pk__in=ids)
        closed = services.decide_discrepancies(rows, outcome, request.user)
        say = tell if closed else warn
        noun = "discrepancy was" if closed == 1 else "discrepancies were"
        say(request, f"{closed} {noun} {outcome}.")
