"""The words of a rule as a person types them: pounds, not pence; days, not cron."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from accounts.admin.inputs import SpanField, choice, number, text
from accounts.models import Account
from automation.models import Rule

from .condition_forms import HOW
from .line_forms import amount
from .zone_field import zone_field

LIMITS = ("min_move", "per_move", "per_run", "per_day", "per_rule")
KINDS = {
    "sweep": "Sweep – gather from sources into one target",
    "autosort": "Autosort – pour a source into many pots, in order",
    "topup": "Top-up – fill one account from another",
}


REST = {
    "redistribute": "goes to the investments",
    "keep": "stays where it is",
}
ON_SHORT = {
    "": "as usual for its kind",
    "refuse": "move nothing there",
    "partial": "move what there is",
    "retry_next": "move nothing, and try after the next sync",
}
ON_STALE = {
    "skip": "do not run",
    "ask": "ask me",
    "use_floor": "run, and stay above the floor",
}
APPROVAL = {
    "never": "never",
    "first": "until one run has succeeded",
    "always": "for every run",
}
LIMIT_LABELS = {
    "per_move": "At most per move",
    "per_run": "At most per run",
    "per_day": "At most per day",
    "per_rule": "At most ever",
}


class RuleForm(forms.Form):
    """The rule itself, without its legs and triggers."""

    name = text(max_length=200)
    kind = choice([*KINDS.items()])
    # With what the page showed: whoever did not touch it does not switch a rule on
    # that was frozen meanwhile.
    enabled = forms.BooleanField(
        required=False,
        initial=True,
        show_hidden_initial=True,
        widget=UnfoldBooleanSwitchWidget(),
    )
    priority = number(
        initial=100, min_value=0, help_text="Where two are due, the lower goes first."
    )
    timezone = zone_field()
    rest = choice([*REST.items()], label="What is left at the end")
    on_short = choice(
        [*ON_SHORT.items()], required=False, label="If there is too little"
    )
    on_stale = choice([*ON_STALE.items()], label="If a balance is too old")
    max_staleness_seconds = SpanField(
        initial=300,
        min_value=1,
        label="A balance is too old after",
        help_text="At most 15 min.",
    )
    max_lateness_seconds = SpanField(
        initial=21600,
        min_value=60,
        label="It may start late by",
        help_text="If it could not run in time; later it is missed.",
    )
    cooldown_seconds = SpanField(
        initial=0, label="Rest after a success", help_text="It runs again after that."
    )
    plan_ttl_seconds = SpanField(
        required=False,
        min_value=60,
        label="A plan is good for",
        help_text="Such as 6 h; then nothing of it is begun.",
    )
    round_to = amount("round_to", help_text="Each move is rounded down to it.")
    approval = choice([*APPROVAL.items()], required=False, label="Ask for approval")
    tolerance = amount(
        "tolerance", help_text="By how much a move may differ from what was approved."
    )
    notice_seconds = SpanField(
        required=False,
        label="Time to cancel",
        help_text="Such as 30 min, before money moves.",
    )
    pay_day = text(
        required=False, max_length=4, help_text="When you are paid: 1–31, or last."
    )
    pay_trigger = number(
        required=False,
        min_value=1,
        label="Or paid when trigger",
        help_text="Its number above: 1 is the first.",
    )
    conditions_how = choice(
        [*HOW.items()], required=False, initial="all", label="It moves money only if"
    )

    def __init__(self, *args, places: Any = None, rules: Any = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if places is not None:
            self.fields = {"workspace": places} | self.fields
        for name in LIMITS:
            self.fields[f"limit_{name}"] = amount(name)
            if name in LIMIT_LABELS:
                self.fields[f"limit_{name}"].label = LIMIT_LABELS[name]
        others = Rule.objects.none() if rules is None else rules
        self.fields["depends_on"] = forms.ModelMultipleChoiceField(
            others,
            required=False,
            widget=UnfoldAdminSelectMultipleWidget(),
            help_text="Rules that must have gone before.",
        )
        self.fields["conditions_else"] = forms.ModelChoiceField(
            others,
            required=False,
            empty_label="nothing happens",
            label="If that is not so",
            help_text="Or another rule runs instead.",
            widget=UnfoldAdminSelectWidget(),
        )

    def words(self) -> dict[str, Any]:
        """Return what was typed in the words of the API, amounts still as text."""
        apart = ("workspace", "conditions_how", "conditions_else")
        typed = {k: v for k, v in self.cleaned_data.items() if k not in apart}
        if self.untouched("enabled"):
            del typed["enabled"]
        typed["on_short"] = typed["on_short"] or None
        typed["approval"] = typed["approval"] or Rule.Approval.NEVER
        typed["notice_seconds"] = typed["notice_seconds"] or 0
        if typed["plan_ttl_seconds"] is None:
            del typed["plan_ttl_seconds"]
        typed["depends_on"] = [str(rule.pk) for rule in typed["depends_on"]]
        typed["pay_cycle"] = self.pay_cycle(
            typed.pop("pay_day"), typed.pop("pay_trigger")
        )
        limits = {name: typed.pop(f"limit_{name}") for name in LIMITS}
        return typed | {"limits": limits}

    def untouched(self, name: str) -> bool:
        """Say whether a field is as the page showed it; not where that was not sent."""
        shown = self[name].html_initial_name in self.data
        return shown and name not in self.changed_data

    @staticmethod
    def pay_cycle(day: str, trigger: int | None) -> dict[str, Any] | None:
        told: dict[str, Any] = {"day": day} if day else {}
        if trigger is not None:
            told["trigger"] = trigger - 1
        return told or None

    @staticmethod
    def field_of(problem: str) -> str:
        """Return the field that a problem such as `limits.per_day` belongs to."""
        for path, name in (("limits.", "limit_"), ("pay_cycle.", "pay_")):
            problem = problem.replace(path, name)
        return "depends_on" if problem.startswith("depends_on.") else problem


def accounts_for(workspaces: Iterable) -> Any:
    """Return the accounts a rule may name, pots under their account."""
    rows = Account.objects.open().filter(workspace__in=workspaces, automates=True)
    return rows.select_related("balance", "parent").order_by(
        "provider", "parent__name", "name"
    )


def rules_for(workspaces: Iterable, rule: Rule | None) -> Any:
    """Return the other rules that a rule may wait for or follow."""
    rows = Rule.objects.in_use().filter(workspace__in=workspaces)
    return rows.exclude(pk=rule.pk) if rule is not None else rows
