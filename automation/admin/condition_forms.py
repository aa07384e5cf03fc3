"""The conditions of a rule as rows that a person fills, without a word of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.db.models import Q

from accounts.admin import show
from accounts.admin.inputs import choice, plain, text
from accounts.models import Account
from automation.models import Rule
from automation.rules.conditions import BALANCES, OPERATORS, WORDS
from automation.services.condition_document import accounts_told
from providers.money import Asset, parse_minor, pretty

from .condition_rows import DEEPEST, GROUPS, KEPT, rows_of
from .line_forms import account

WHAT = {
    "available": "Available balance of",
    "total": "Whole balance of",
    "date": "The day it runs",
    "amount": "The payment that set it off",
}
HOW = {
    "all": "all of these hold",
    "any": "at least one of these holds",
    "not": "none of these holds",
}
DAYS = {
    "<": "before",
    "<=": "on or before",
    "=": "on",
    "!=": "not on",
    ">=": "on or after",
    ">": "after",
}
AMOUNTS = {op: WORDS[op] for op in OPERATORS}
TAKES = {
    **{name: ["account", "op", "value"] for name in sorted(BALANCES)},
    **{name: ["op", "value"] for name in ("date", "amount")},
    **{how: ["inside"] for how in GROUPS},
    KEPT: [KEPT],
}
FIELDS = {"field": "what"}  # what the document calls a row's field, where it differs


class ConditionForm(forms.Form):
    """One row: a comparison, a group that others stand in, or what is only kept."""

    level = forms.IntegerField(
        required=False, min_value=0, max_value=50, widget=forms.HiddenInput()
    )
    place = forms.IntegerField(
        required=False, min_value=0, max_value=5000, widget=forms.HiddenInput()
    )
    kept = forms.CharField(
        required=False, max_length=20_000, widget=forms.HiddenInput()
    )
    what = choice(
        [
            ("Compare", [*WHAT.items()]),
            ("Group", [(how, said.capitalize()) for how, said in HOW.items()]),
            ("Kept", [(KEPT, "More, kept as it is")]),
        ],
        label="What",
    )
    op = choice([*AMOUNTS.items()], required=False, label="is", initial=">=")
    value = text(required=False, max_length=100, label="Value")

    def __init__(self, *args, accounts: Any, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account"] = account(accounts)
        self.fields["value"].widget.attrs |= {"autocomplete": "off"}
        self.names = accounts

    def clean_kept(self) -> Any:
        """Return what the page only passed on; it is judged with all the rest."""
        typed = self.cleaned_data["kept"]
        try:
            return json.loads(typed) if typed else None
        except ValueError as error:
            raise forms.ValidationError("This part cannot be read.") from error

    def words(self, asset: str) -> Any:
        """Return a comparison in the words of the API; `asset` is that of the rule."""
        typed = self.cleaned_data
        what, held = typed["what"], typed.get("account")
        if what == KEPT:
            return typed[KEPT]
        told: dict[str, Any] = {"field": what, "op": typed["op"]}
        value = typed["value"].strip() or None
        if what != "date" and value is not None:
            of = held.asset if what in BALANCES and held else asset
            value = {"asset": of, "amount": plain(value)}
        if what in BALANCES and held:
            told["account"] = str(held.pk)
        return told | {"value": value}

    @property
    def shown_level(self) -> int:
        return min(int(self["level"].value() or 0), DEEPEST + 1)

    @property
    def kept_words(self) -> str:
        """Return in words what the form cannot take apart."""
        told = self["kept"].value()
        try:
            return sentence(json.loads(told), self.names) if told else ""
        except (ValueError, TypeError, KeyError):
            return str(told)  # no page of ours wrote it; the service refuses it


ConditionFormSet = forms.formset_factory(ConditionForm, extra=0, can_delete=True)


def in_place(formset) -> list[ConditionForm]:
    """Return the rows that were typed, as they stood on the page."""
    typed = [form for form in formset.forms if form.cleaned_data]
    return sorted(typed, key=lambda form: form.cleaned_data.get("place") or 0)


def condition_initial(conditions: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return stored conditions as the rows of the form."""
    _, rows = rows_of(conditions)
    return [{"place": place, **row} for place, row in enumerate(rows)]


def watchable(workspaces: Iterable, conditions: Any) -> Any:
    """Return the accounts that may be asked about: those in use, and those named."""
    named = [name for name in accounts_told(conditions) if name]
    usable = Q(automates=True, closed_at=None) | Q(pk__in=named)
    rows = Account.objects.filter(usable, workspace__in=workspaces)
    return rows.select_related("balance", "parent").order_by(
        "provider", "parent__name", "name"
    )


def otherwise(rules: Any, conditions: Any) -> Any:
    """Return the rules that may run instead: `rules`, and the one that is named."""
    named = (conditions or {}).get("else", "skip")
    return rules if named == "skip" else rules | Rule.objects.filter(pk=named)


def grammar() -> dict[str, Any]:
    """Return which cells each row has, for the page's script."""
    return {
        "takes": TAKES,
        "groups": GROUPS,
        "deepest": DEEPEST,
        "amounts": AMOUNTS,
        "days": DAYS,
    }


# In words


def sentence(test: Mapping[str, Any], accounts: Any) -> str:
    """Return a test as one sentence."""
    names = {str(row.pk): show.place(row) for row in accounts}
    return said(test, names)


def said(test: Mapping[str, Any], names: Mapping[str, str]) -> str:
    if "not" in test:
        return f"not ({said(test['not'], names)})"
    for how, joint in (("all", " and "), ("any", " or ")):
        if how in test:
            parts = [f"({said(part, names)})" for part in test[how]]
            return joint.join(parts) or f"{how} of nothing"
    value = test["value"]
    if test["field"] == "date":
        return f"the day is {DAYS[test['op']]} {value}"
    what = WHAT[test["field"]].lower()
    held = names.get(test.get("account", ""), "")
    of = f"{what} {held}" if held else what
    return f"{of} is {AMOUNTS[test['op']]} {amount(value)}"


def amount(value: Mapping[str, str]) -> str:
    """Return a money object as people read it."""
    return pretty(parse_minor(value["minor"]), Asset.parse(value["asset"]))
