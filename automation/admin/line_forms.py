"""Legs and triggers as a person types them, and what each kind of them takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.forms.models import ModelChoiceIterator
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin import show
from accounts.admin.inputs import AmountField, choice, number, text
from accounts.models import Account
from automation.models import Rule, RuleLeg, Trigger
from automation.rules.grammar import GRAMMAR
from automation.rules.trigger_problems import TAKES
from automation.services.trigger_document import HELD_MONEY, MOVED_MONEY

LEG_AMOUNTS = (
    *("amount", "keep", "floor", "target", "cap", "min_move", "low", "high", "unit"),
)
LEG_SHARES = ("share", "keep_share", "max_share")
# What one sees at once; the rest is folded away until it is filled.
LEG_OFTEN = ("amount", "share", "target", "keep", "low", "high", "unit", "due")
LEG_SELDOM = ("keep_share", "floor", "cap", "max_share", "min_move", "multiplier")

LEG_HELP = {
    "share": "0.5 is a half.",
    "keep": "Stays there, always.",
    "max_share": "At most this part of a run.",
    "cap": "At most per run.",
    "floor": "Never below this.",
    "unit": "Payments are rounded up to it, such as 1.00.",
    "due": "Such as 2027-06-01: an equal part of each pay period.",
    "multiplier": "How many times the round-up moves.",
}
NAMES = {"cap": "At most", "min_move": "Least per move", "keep_share": "Keep a part"}


def amount(name: str, **kwargs) -> AmountField:
    return AmountField(required=False, label=_label(name), **kwargs)


def _label(name: str) -> str:
    return NAMES.get(name) or name.replace("_", " ").capitalize()


ROLE_WORDS = {"source": "takes from", "target": "gives to", "bills": "bills pot"}
WAY_WORDS = {
    "fixed": "a fixed amount",
    "share": "a share",
    "above": "above what it keeps",
    "all": "everything",
    "round_ups": "round-ups",
    "replenish": "what was spent",
    "to_target": "up to a target",
    "equal": "equal parts",
    "balance": "between low and high",
}
TRIGGER_WORDS = {
    "manual": "By hand",
    "api": "By the API",
    "cron": "Timetable (cron)",
    "interval": "Every so many minutes",
    "date_range": "Days of the month",
    "balance": "A balance",
    "transaction": "A payment",
    "webhook": "News of the bank",
    "after_rule": "After another rule",
}


def _words(
    values: Iterable[str], said: Mapping[str, str], empty: str | None = None
) -> list[tuple[str, str]]:
    known = dict.fromkeys(v for v in values if v)
    start = [] if empty is None else [("", empty)]
    return [*start, *((value, said.get(value, show.words(value))) for value in known)]


ROLES = _words((role for roles in GRAMMAR.values() for role in roles), ROLE_WORDS)
STRATEGIES = _words(
    (way for roles in GRAMMAR.values() for ways in roles.values() for way in ways),
    WAY_WORDS,
    "–",
)


class LegForm(forms.Form):
    """One line of a rule."""

    accounts = choice(
        [("", "–"), (RuleLeg.Accounts.ALL_WITH_GOAL, "every pot with a goal")],
        required=False,
        help_text="Instead of one account.",
    )
    role = choice(ROLES)
    strategy = choice(STRATEGIES, required=False)
    order = number(required=False, min_value=0)

    def __init__(self, *args, accounts: Any, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields = {"account": account(accounts)} | self.fields
        for name in LEG_OFTEN + LEG_SELDOM:
            make = MAKE.get(name) or (amount if name in LEG_AMOUNTS else share)
            self.fields[name] = make(name, help_text=LEG_HELP.get(name, ""))

    def words(self) -> dict[str, Any]:
        """Return the leg in the words of the API; an empty field is left out."""
        typed = {k: v for k, v in self.cleaned_data.items() if v not in (None, "")}
        typed.pop("DELETE", None)
        named = typed.pop("account", None)
        return typed | ({"account": str(named.pk)} if named else {})

    @property
    def often(self) -> list:
        return [self[name] for name in LEG_OFTEN]

    @property
    def seldom(self) -> list:
        return [self[name] for name in LEG_SELDOM]

    @property
    def seldom_filled(self) -> bool:
        return any(self[name].value() or self[name].errors for name in LEG_SELDOM)


def account(rows: Any) -> AccountChoice:
    widget = UnfoldAdminSelectWidget()
    return AccountChoice(rows, required=False, empty_label="Choose…", widget=widget)


def day(name: str, **kwargs) -> forms.CharField:
    return text(required=False, max_length=10, label=_label(name), **kwargs)


def times(name: str, **kwargs) -> forms.IntegerField:
    return number(required=False, min_value=1, label=_label(name), **kwargs)


MAKE = {"due": day, "multiplier": times}


def share(name: str, **kwargs) -> forms.CharField:
    field = text(required=False, max_length=24, label=_label(name), **kwargs)
    field.widget.attrs |= {"inputmode": "decimal", "placeholder": "–"}
    return field


class AskedOnce(ModelChoiceIterator):
    """Offers the rows of one query, however many fields of a page do."""

    def __iter__(self) -> Iterator[tuple[Any, str]]:
        if self.field.empty_label is not None:
            yield "", self.field.empty_label
        yield from map(self.choice, self.field.rows)


class RowChoice(forms.ModelChoiceField):
    """Rows that many fields of a page may offer."""

    iterator = AskedOnce

    def __init__(self, rows: QuerySet, **kwargs) -> None:
        self.rows = rows  # itself, and not the copy that Django makes for each field
        super().__init__(rows, **kwargs)


class AccountChoice(RowChoice):
    """Accounts with what they are inside of and what they hold."""

    def label_from_instance(self, row: Account) -> str:
        balance = show.known(row)
        held = show.pretty(balance.total, row.unit) if balance else "unknown"
        return f"{show.place(row)} · {held}"


class TriggerForm(forms.Form):
    """What makes a rule due."""

    kind = choice([(k, TRIGGER_WORDS.get(k, name)) for k, name in Trigger.Kind.choices])
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
    start_day = number(required=False, min_value=1, max_value=31)
    end_day = number(required=False, min_value=1, max_value=31)
    above = amount("above")
    below = amount("below")
    rearm = amount("rearm", help_text="It fires again after the balance was here.")
    min_moved = amount("min_moved", help_text="That the other rule moved.")

    def __init__(
        self, *args, accounts: Any = None, rules: Any = None, **kwargs
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account"] = account(
            Account.objects.none() if accounts is None else accounts
        )
        self.fields["rule"] = RowChoice(
            Rule.objects.none() if rules is None else rules,
            required=False,
            empty_label="Choose…",
            widget=UnfoldAdminSelectWidget(),
        )

    def asset(self, name: str, own: str) -> str:
        """Return the asset of an amount: that of what it is compared with."""
        watched, other = (self.cleaned_data.get(n) for n in ("account", "rule"))
        if name in HELD_MONEY:
            return watched.asset if watched else own
        return other.asset if name in MOVED_MONEY and other else own

    def words(self) -> dict[str, Any]:
        """Return the trigger in the words of the API, with its own kind's fields only."""
        known = TAKES[self.cleaned_data["kind"]]
        typed = {k: v for k, v in self.cleaned_data.items() if k in known}
        typed = {k: v for k, v in typed.items() if v not in (None, "")}
        if "weekday" in typed:
            typed["weekday"] = int(typed["weekday"])
        for name in ("account", "rule"):
            if name in typed:
                typed[name] = str(typed[name].pk)
        return {"kind": self.cleaned_data["kind"], **typed}


MANY = {"goal": frozenset({"accounts"})}  # roles whose leg may be many accounts
LegFormSet = forms.formset_factory(LegForm, extra=0, can_delete=True)
TriggerFormSet = forms.formset_factory(TriggerForm, extra=0, can_delete=True)


def grammar() -> dict[str, Any]:
    """Return which fields each kind, role and strategy takes, for the page's script."""
    return {
        "legs": {
            kind: {
                role: {
                    way: sorted(use.takes | MANY.get(role, frozenset()))
                    for way, use in ways.items()
                }
                for role, ways in roles.items()
            }
            for kind, roles in GRAMMAR.items()
        },
        "triggers": {kind: sorted(fields) for kind, fields in TAKES.items()},
    }
