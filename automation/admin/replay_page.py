"""The page that shows what a rule would have done: a chart, and a table of why."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.timezone import now
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from accounts.admin import show
from accounts.admin.base import Panel
from accounts.models import Account
from automation import services
from automation.models import Rule
from automation.rules.replay import Replay, Row
from providers.money import Asset, pretty

from .charts import account_charts, moved_chart

DAYS = 90  # where nobody says since when
MOST_ROWS = 300  # of the table; the API tells all
MOST_CHARTS = 8
ROUTE = "automation_rule_replay"


def day(**kwargs: Any) -> forms.DateField:
    widget = UnfoldAdminTextInputWidget({"type": "date"})
    return forms.DateField(widget=widget, **kwargs)


class StretchForm(forms.Form):
    """Which days are replayed, both included, and how."""

    since = day(label="From")
    until = day(label="To")
    carry = forms.BooleanField(
        required=False,
        label="As if it had really run",
        help_text="What it would have moved is missing, or there, the next time.",
        widget=UnfoldBooleanSwitchWidget(),
    )


class ReplayPage:
    """One visit to the replay of one rule. It is only looked at: nothing is written."""

    template = "automation/replay.html"

    def __init__(self, model_admin, request, object_id: str) -> None:
        self.admin, self.request = model_admin, request
        self.rule = model_admin.get_object(request, object_id)

    def answer(self) -> HttpResponse:
        if self.rule is None:
            raise Http404
        if not self.admin.has_view_permission(self.request, self.rule):
            raise PermissionDenied
        found = self.found()
        context = {
            "original": self.rule,
            "rule": self.rule,
            "back": show.page(self.rule),
            "form": self.form,
        }
        if found is not None:
            context |= told(self.rule, found)
        title = f"Replay of {self.rule}"
        return self.admin.render(self.request, self.template, title, **context)

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.rule.timezone)

    @cached_property
    def form(self) -> StretchForm:
        if "since" in self.request.GET:
            return StretchForm(self.request.GET)
        today = now().astimezone(self.zone).date()
        first = today - timedelta(days=DAYS)
        return StretchForm({"since": first, "until": today, "carry": "on"})

    def found(self) -> Replay | None:
        """Return the replay that is asked for; None where that cannot be, with why."""
        if not self.form.is_valid():
            return None
        asked = self.form.cleaned_data
        try:
            return services.replay(
                self.rule,
                self.midnight(asked["since"]),
                self.midnight(asked["until"] + timedelta(days=1)),
                carry=asked["carry"],
            )
        except services.ReplayError as error:
            self.form.add_error(None, str(error))
        except OverflowError:
            self.form.add_error("until", "Such a day is too far away.")
        return None

    def midnight(self, on) -> datetime:
        return datetime.combine(on, time(), tzinfo=self.zone)


def told(rule: Rule, found: Replay) -> dict[str, Any]:
    """Return what the page shows of a replay."""
    names = accounts_of(rule, found)
    charted = [
        (pk, show.place(row), row.asset)
        for pk, row in names.items()
        if pk in touched(rule, found)
    ]
    return {
        "found": found,
        "total": show.money(found.total, rule.asset),
        "outcomes": [
            (show.status(name), count) for name, count in found.outcomes.items()
        ],
        "silent": [show.words(kind) for kind in found.silent],
        "since": found.stretch.since.astimezone(ZoneInfo(rule.timezone)),
        "until": found.stretch.until.astimezone(ZoneInfo(rule.timezone)),
        "moved": moved_chart(found, rule.asset) if found.rows else None,
        "charts": account_charts(found, charted[:MOST_CHARTS]),
        "panel": rows_panel(rule, found, names),
        "more": max(0, len(found.rows) - MOST_ROWS),
    }


def touched(rule: Rule, found: Replay) -> set[str]:
    """Return the accounts worth a chart: those of legs, and where money would move."""
    ends = {
        end for row in found.rows for m in row.moves for end in (m.source, m.target)
    }
    return ends or {str(leg.account_id) for leg in rule.legs.all()}


def accounts_of(rule: Rule, found: Replay) -> dict[str, Account]:
    """Return the accounts that a replay speaks of, sources first."""
    sources = [str(g.account_id) for g in rule.legs.all() if g.role == "source"]
    known = dict.fromkeys([*sources, *found.course.past.accounts])
    rows = Account.objects.filter(workspace=rule.workspace_id).select_related("parent")
    by_id = {
        str(row.pk): row
        for row in rows.filter(pk__in=[pk for pk in known if pk != "None"])
    }
    return {pk: by_id[pk] for pk in known if pk in by_id}


def rows_panel(rule: Rule, found: Replay, names: dict[str, Account]) -> Panel:
    return Panel(
        "Occurrences",
        ["Decided", "Trigger", "Outcome", "Moved", "Where to", "Why"],
        [cells(rule, row, names) for row in found.rows[:MOST_ROWS]],
        empty="It would not have been due at all.",
    )


def cells(rule: Rule, row: Row, names: dict[str, Account]) -> list[Any]:
    unit = Asset.parse(rule.asset)
    ways = [
        f"{names.get(m.source, m.source)} → {names.get(m.target, m.target)}"
        + (f" {pretty(m.amount, unit)}" if len(row.moves) > 1 else "")
        for m in row.moves
    ]
    waited = row.at - row.due
    late = f", {show.span(waited.total_seconds())} later" if waited else ""
    return [
        f"{row.at.astimezone(ZoneInfo(rule.timezone)):%a %d %b %Y, %H:%M}",
        show.words(row.trigger) + late,
        show.status(row.outcome),
        show.money(row.total, rule.asset) if row.moves else show.NOTHING,
        "; ".join(ways) or show.NOTHING,
        show.NOTHING if row.moves else row.reason,
    ]


def replay_url(rule: Rule) -> str:
    return reverse(f"admin:{ROUTE}", args=[rule.pk])
