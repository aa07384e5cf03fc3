"""The words of a rule as a person types them: pounds, not pence; days, not cron."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from accounts.admin import show
from accounts.admin.inputs import AmountField, choice, number, text
from accounts.models import Account
from automation.models import Rule, Trigger
from automation.rules.grammar import GRAMMAR
from automation.rules.trigger_problems import TAKES

LIMITS = ("min_move", "per_move", "per_run", "per_day", "per_rule")
LEG_AMOUNTS = ("amount", "keep", "floor", "target", "cap", "min_move", "low", "high")
LEG_SHARES = ("share", "keep_share", "max_share")
# What one sees at once; the rest is folded away until it is filled.
LEG_OFTEN = ("amount", "share", "target", "keep", "low", "high")
LEG_SELDOM = ("keep_share", "floor", "cap", "max_share", "min_move")

KINDS = {
    "sweep": "Sweep – gather from sources into one target",
    "autosort": "Autosort – pour a source into many pots, in order",
    "topup": "Top-up – fill one account from another",
}
LEG_HELP = {
    "share": "0.5 is a half.",
    "keep": "Stays there, always.",
    "max_share": "At most this part of a run.",
    "cap": "At most per run.",
    "floor": "Never below this.",
}
NAMES = {"cap": "At most", "min_move": "Least per move", "keep_share": "Keep a part"}


def amount(name: str, **kwargs) -> AmountField:
    return AmountField(required=False, label=_label(name), **kwargs)


def _label(name: str) -> str:
    return NAMES.get(name) or name.replace("_", " ").capitalize()


def _words(values: Iterable[str], empty: str | None = None) -> list[tuple[str, str]]:
    known = dict.fromkeys(v for v in values if v)
    start = [] if empty is None else [("", empty)]
    return [*start, *((value, show.words(value)) for value in known)]


ROLES = _words(role for roles in GRAMMAR.values() for role in roles)
STRATEGIES = _words(
    (way for roles in GRAMMAR.values() for ways in roles.values() for way in ways), "–"
)


class RuleForm(forms.Form):
    """The rule itself, without its legs and triggers."""

    name = text(max_length=200)
    kind = choice([*KINDS.items()])
    enabled = forms.BooleanField(
        required=False, initial=True, widget=UnfoldBooleanSwitchWidget()
    )
    priority = number(initial=100, min_value=0, help_text="Lower goes first.")
    timezone = text(initial="Europe/London", max_length=60)
    rest = choice(
        Rule.Rest.choices, help_text="What an autosort does with what is left."
    )
    on_short = choice([("", "as the kind does"), *Rule.OnShort.choices], required=False)
    on_stale = choice(Rule.OnStale.choices)
    max_staleness_seconds = number(initial=300, min_value=0)
    max_lateness_seconds = number(initial=21600, min_value=0)
    cooldown_seconds = number(initial=0, min_value=0)
    round_to = amount("round_to", help_text="Each move is rounded down to it.")

    def __init__(self, *args, places: Any = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if places is not None:
            self.fields = {"workspace": places} | self.fields
        self.fields |= {f"limit_{name}": amount(name) for name in LIMITS}

    def words(self) -> dict[str, Any]:
        """Return what was typed in the words of the API, amounts still as text."""
        typed = {k: v for k, v in self.cleaned_data.items() if k != "workspace"}
        typed["on_short"] = typed["on_short"] or None
        limits = {name: typed.pop(f"limit_{name}") for name in LIMITS}
        return typed | {"limits": limits}

    @staticmethod
    def field_of(problem: str) -> str:
        """Return the field that a problem such as `limits.per_day` belongs to."""
        return problem.replace("limits.", "limit_")


class LegForm(forms.Form):
    """One line of a rule."""

    role = choice(ROLES)
    strategy = choice(STRATEGIES, required=False)
    order = number(required=False, min_value=0)

    def __init__(self, *args, accounts: Any, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        widget = UnfoldAdminSelectWidget()
        field = AccountChoice(accounts, empty_label="Choose…", widget=widget)
        self.fields = {"account": field} | self.fields
        for name in LEG_OFTEN + LEG_SELDOM:
            told = LEG_HELP.get(name, "")
            make = amount if name in LEG_AMOUNTS else share
            self.fields[name] = make(name, help_text=told)

    def words(self) -> dict[str, Any]:
        """Return the leg in the words of the API; an empty field is left out."""
        typed = {k: v for k, v in self.cleaned_data.items() if v not in (None, "")}
        typed.pop("DELETE", None)
        return typed | {"account": str(self.cleaned_data["account"].pk)}

    @property
    def often(self) -> list:
        return [self[name] for name in LEG_OFTEN]

    @property
    def seldom(self) -> list:
        return [self[name] for name in LEG_SELDOM]

    @property
    def seldom_filled(self) -> bool:
        return any(self[name].value() or self[name].errors for name in LEG_SELDOM)


def share(name: str, **kwargs) -> forms.CharField:
    field = text(required=False, max_length=24, label=_label(name), **kwargs)
    field.widget.attrs |= {"inputmode": "decimal", "placeholder": "–"}
    return field


class AccountChoice(forms.ModelChoiceField):
    """Accounts with what they are inside of and what they hold."""

    def label_from_instance(self, row: Account) -> str:
        balance = show.known(row)
        held = show.pretty(balance.total, row.unit) if balance else "unknown"
        return f"{show.place(row)} · {held}"


class TriggerForm(forms.Form):
    """What makes a rule due."""

    kind = choice(Trigger.Kind.choices)
    expression = text(required=False, max_length=100, help_text="Such as 0 9 * * 1.")
    day = text(required=False, max_length=4, help_text="1–31, or last.")
    weekday = choice(
        [
            ("", "–"),
            *zip(
                "1234567",
                ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
                strict=True,
            ),
        ],
        required=False,
    )
    nth = text(required=False, max_length=4, help_text="1–5, or last.")
    hour = number(required=False, min_value=0, max_value=23)
    minute = number(required=False, min_value=0, max_value=59)
    minutes = number(required=False, min_value=1)
    business_day = choice(
        [("", "–"), ("none", "as it falls"), ("previous", "before"), ("next", "after")],
        required=False,
    )
    calendar = text(required=False, max_length=20, help_text="Such as GB-ENG.")
    anchor = text(required=False, help_text="Since when, such as 2026-01-31T09:00Z.")
    min_amount = amount("min_amount")
    max_amount = amount("max_amount")
    pattern = text(required=False, max_length=200, help_text="Who pays, such as ACME.")
    merchant = text(required=False, max_length=200)
    category = text(required=False, max_length=60)
    look_back_days = number(required=False, min_value=1)
    cooldown_days = number(required=False, min_value=0)

    def words(self) -> dict[str, Any]:
        """Return the trigger in the words of the API, with its own kind's fields only."""
        known = TAKES[self.cleaned_data["kind"]]
        typed = {k: v for k, v in self.cleaned_data.items() if k in known}
        typed = {k: v for k, v in typed.items() if v not in (None, "")}
        if "weekday" in typed:
            typed["weekday"] = int(typed["weekday"])
        return {"kind": self.cleaned_data["kind"], **typed}


LegFormSet = forms.formset_factory(LegForm, extra=0, can_delete=True)
TriggerFormSet = forms.formset_factory(TriggerForm, extra=0, can_delete=True)


def grammar() -> dict[str, Any]:
    """Return which fields each kind, role and strategy takes, for the page's script."""
    return {
        "legs": {
            kind: {
                role: {way: sorted(use.must | use.may) for way, use in ways.items()}
                for role, ways in roles.items()
            }
            for kind, roles in GRAMMAR.items()
        },
        "triggers": {kind: sorted(fields) for kind, fields in TAKES.items()},
    }


def accounts_for(workspaces: Iterable) -> Any:
    """Return the accounts a rule may name, pots under their account."""
    rows = Account.objects.open().filter(workspace__in=workspaces, automates=True)
    return rows.select_related("balance", "parent").order_by(
        "provider", "parent__name", "name"
    )
