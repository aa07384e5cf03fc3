"""The page that answers "what if": typed balances, money that comes in, and the plan."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.timezone import now
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.admin import show
from accounts.admin.base import Panel, Role
from accounts.admin.inputs import AmountField
from accounts.models import Account
from automation import services
from automation.models import Rule
from automation.rules import Plan

from . import plans

ROUTE = "automation_rule_simulate"
MINUTE = "%Y-%m-%dT%H:%M"  # as browsers write it


def simulate_url(rule: Rule) -> str:
    return reverse(f"admin:{ROUTE}", args=[rule.pk])


class WhatIfForm(forms.Form):
    """What each account shall hold, what comes in besides, and when."""

    def __init__(self, *args, rule: Rule, accounts: dict[str, Account], **kwargs):
        super().__init__(*args, **kwargs)
        self.zone, self.accounts = ZoneInfo(rule.timezone), accounts
        self.bills = [str(g.account_id) for g in rule.legs.all() if g.role == "bills"]
        mine = {pk: row for pk, row in accounts.items() if row.asset == rule.asset}
        first = [str(g.account_id) for g in rule.legs.all() if g.role == "source"]
        self.fields["inflow"] = AmountField(
            asset=rule.asset,
            label="What comes in",
            required=False,
            help_text="Such as a salary; or nothing.",
        )
        self.fields["into"] = forms.ChoiceField(
            choices=[(pk, show.place(mine[pk])) for pk in sorted_by(mine, first)],
            required=False,
            widget=UnfoldAdminSelectWidget(),
        )
        self.fields["at"] = forms.DateTimeField(
            label="On",
            required=False,
            input_formats=[MINUTE, f"{MINUTE}:%S"],
            widget=UnfoldAdminTextInputWidget({"type": "datetime-local"}),
            help_text=f"In {rule.timezone}. Empty: now.",
        )
        for pk, row in accounts.items():
            self.fields[f"held_{pk}"] = held_field(row)
            if pk in self.bills:
                self.fields[f"spent_{pk}"] = spent_field(row)

    def clean_at(self):
        """Return the moment in the rule's own zone, in which it was typed."""
        typed = self.cleaned_data["at"]
        return typed and typed.replace(tzinfo=self.zone)

    def clean(self) -> dict[str, Any]:
        told = super().clean()
        inflow = told.get("inflow")
        if inflow is not None and inflow <= 0:
            self.add_error("inflow", "What comes in is more than nothing.")
        into = told.get("into")
        if inflow and into and self.held(into) is None:
            self.add_error(f"held_{into}", "Type what it holds: nobody knows.")
        for pk in self.bills:
            if (told.get(f"spent_{pk}") or 0) < 0:
                self.add_error(f"spent_{pk}", "What was spent is not below nothing.")
        return told

    def held(self, pk: str) -> int | None:
        """Return what an account shall hold, else what is free in it as stored."""
        typed = self.cleaned_data.get(f"held_{pk}")
        return free(self.accounts[pk]) if typed is None else typed

    def told(self, start: str) -> dict[str, int]:
        """Return what was typed of each account, in minor units."""
        typed = {pk: self.cleaned_data.get(f"{start}{pk}") for pk in self.accounts}
        return {pk: value for pk, value in typed.items() if value is not None}

    @property
    def first(self) -> list:
        return [self[name] for name in ("inflow", "into", "at")]

    @property
    def balances(self) -> list:
        return [field for field in self if field.name.startswith(("held_", "spent_"))]


def sorted_by(known: dict[str, Account], first: list[str]) -> list[str]:
    """Return the ids of `known`, those of `first` before the others."""
    return [pk for pk in dict.fromkeys([*first, *known]) if pk in known]


def free(row: Account) -> int | None:
    """Return what an account has free as stored; None where nobody knows."""
    balance = show.known(row)
    return int(balance.available - row.leaving) if balance else None


def held_field(row: Account) -> AmountField:
    """Return the field of what an account shall hold; at first, what is free now."""
    return AmountField(
        asset=row.asset,
        required=False,
        label=show.place(row),
        initial=free(row),
        help_text="Its balance is not known." if free(row) is None else "",
    )


def spent_field(row: Account) -> AmountField:
    return AmountField(
        asset=row.asset,
        required=False,
        label=f"Spent from {row}",
        help_text="Since the last payday. Empty: as its transactions say.",
    )


class SimulatePage:
    """One visit to the what-if of one rule. Nothing is written and nobody is asked."""

    template = "automation/simulate.html"

    def __init__(self, model_admin, request, object_id: str) -> None:
        self.admin, self.request = model_admin, request
        self.rule = model_admin.get_object(request, object_id)

    def answer(self) -> HttpResponse:
        if self.rule is None or self.rule.archived_at is not None:
            raise Http404
        if not self.admin.allows(self.request, Role.OPERATOR, self.rule):
            raise PermissionDenied
        context = {
            "original": self.rule,
            "rule": self.rule,
            "back": show.page(self.rule),
            "form": self.form,
        }
        if self.form.is_bound and self.form.is_valid():
            context |= self.told(self.planned())
        title = f"What if: {self.rule}"
        return self.admin.render(self.request, self.template, title, **context)

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """Return the accounts that the rule names or asks about, sources first."""
        found = services.typed_accounts(self.rule)
        legs = [str(leg.account_id) for leg in self.rule.legs.all()]
        return {pk: found[pk] for pk in sorted_by(found, legs)}

    @cached_property
    def form(self) -> WhatIfForm:
        typed = self.request.POST if self.request.method == "POST" else None
        return WhatIfForm(typed, rule=self.rule, accounts=self.accounts)

    def planned(self) -> Plan:
        """Return the plan for what was typed, with what comes in."""
        asked = self.form.cleaned_data
        held, inflow = self.form.told("held_"), asked["inflow"]
        into = asked["into"]
        if inflow is not None and into:
            held[into] = self.form.held(into) + inflow
        return services.simulate(
            self.rule,
            self.accounts,
            held,
            at=asked["at"],
            spent=self.form.told("spent_"),
            amount=inflow,
        )

    def told(self, plan: Plan) -> dict[str, Any]:
        """Return what the page shows of a plan."""
        data = services.plan_data(plan)
        names = plans.names_of(data, self.rule.workspace_id)
        return {
            "outcome": show.status(plan.outcome),
            "reason": plan.reason,
            "when": self.form.cleaned_data["at"] or now().astimezone(self.form.zone),
            "panels": [plans.moves_panel(data, names), balances_panel(plan, names)],
            "plan": {"trace": plans.steps(data, names)},
        }


def balances_panel(plan: Plan, names: plans.Names) -> Panel:
    """Return what each account would hold before and after."""
    change: dict[str, int] = {}
    for move in plan.moves:
        change[move.source] = change.get(move.source, 0) - move.amount
        change[move.target] = change.get(move.target, 0) + move.amount
    return Panel(
        "Balances",
        ["Account", "Before", "Change", "After"],
        [
            [
                names.link(held.account),
                show.money(held.available, held.asset),
                show.change(change[held.account], held.asset)
                if held.account in change
                else show.NOTHING,
                after(held.available, change.get(held.account, 0), held.asset),
            ]
            for held in plan.readings
        ],
        right=("Before", "Change", "After"),
    )


def after(available: int | None, change: int, asset: str):
    return show.money(None if available is None else available + change, asset)
