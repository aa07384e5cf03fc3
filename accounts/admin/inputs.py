"""Form fields that people type into: exact amounts, secrets that are never shown back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django import forms
from unfold import widgets

from accounts.models import Workspace
from providers.base import CredentialField
from providers.money import SYMBOLS, Asset, MoneyError

from .base import Role, may

GROUPED = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", re.ASCII)


def plain(text: str) -> str:
    """Return a typed amount without its currency sign and thousands commas."""
    text = text.strip()
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    for symbol in SYMBOLS.values():
        text = text.removeprefix(symbol)
    return sign + (text.replace(",", "") if GROUPED.fullmatch(text) else text)


class AmountField(forms.CharField):
    """An amount in whole units (pounds, not pence), kept as the exact text typed.

    With an `asset` it becomes minor units; without, whoever knows the asset reads it.
    """

    def __init__(self, *, asset: str | None = None, **kwargs) -> None:
        self.asset = asset
        attrs = {"inputmode": "decimal", "autocomplete": "off", "placeholder": "–"}
        widget = widgets.UnfoldAdminTextInputWidget(attrs)
        super().__init__(widget=widget, max_length=100, **kwargs)

    def prepare_value(self, value):
        if isinstance(value, int) and self.asset:
            return Asset.parse(self.asset).major(value)
        return value

    def clean(self, value):
        text = plain(super().clean(value))
        if not text:
            self.validate(text)  # a currency sign alone is no amount
            return None
        if not self.asset:
            return text
        try:
            return Asset.parse(self.asset).minor(text)
        except MoneyError as error:
            raise forms.ValidationError(str(error)) from error

    def has_changed(self, initial, data) -> bool:
        return super().has_changed(self.prepare_value(initial), plain(data or ""))


SPAN = re.compile(r"([0-9]{1,9}) *(s|min|h|d)?", re.ASCII)
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


class SpanField(forms.CharField):
    """A stretch of time in seconds, typed as `90`, `15 min`, `6 h` or `2 d`."""

    def __init__(self, *, min_value: int = 0, **kwargs) -> None:
        self.least = min_value
        super().__init__(
            widget=widgets.UnfoldAdminTextInputWidget({"autocomplete": "off"}),
            max_length=20,
            **kwargs,
        )

    def prepare_value(self, value):
        """Return seconds in the largest unit that is exact."""
        if not isinstance(value, int):
            return value
        sizes = [unit for unit, size in SECONDS.items() if value and value % size == 0]
        unit = sizes[-1] if sizes else "s"
        return f"{value // SECONDS[unit]} {unit}"

    def clean(self, value) -> int | None:
        typed = super().clean(value)
        if not typed:
            return None
        found = SPAN.fullmatch(typed)
        if not found:
            raise forms.ValidationError("Such as 90 s, 15 min, 6 h or 2 d.")
        seconds = int(found[1]) * SECONDS[found[2] or "s"]
        if seconds < self.least:
            raise forms.ValidationError(f"At least {self.prepare_value(self.least)}.")
        return seconds

    def has_changed(self, initial, data) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


def text(**kwargs) -> forms.CharField:
    return forms.CharField(widget=widgets.UnfoldAdminTextInputWidget(), **kwargs)


def number(**kwargs) -> forms.IntegerField:
    return forms.IntegerField(widget=widgets.UnfoldAdminIntegerFieldWidget(), **kwargs)


def choice(choices: Sequence[tuple[str, str]], **kwargs) -> forms.ChoiceField:
    widget = widgets.UnfoldAdminSelectWidget()
    return forms.ChoiceField(choices=choices, widget=widget, **kwargs)


def workspace(request, role: str = Role.ADMIN) -> forms.ModelChoiceField:
    """Return a choice of the workspaces in which the user is at least `role`."""
    rows = Workspace.objects.all()
    if not request.user.is_superuser:
        rows = rows.filter(
            pk__in=[
                row.pk for row in rows.of(request.user) if may(request, role, row.pk)
            ]
        )
    only = rows.first() if rows.count() == 1 else None
    widget = widgets.UnfoldAdminSelectWidget()
    return forms.ModelChoiceField(rows, initial=only, widget=widget)


def credential(told: CredentialField, *, keep: bool = False) -> forms.CharField:
    """Return the field of one credential; `keep`: empty leaves what there is."""
    attrs = {"autocomplete": "off", "spellcheck": "false"}
    kind = (
        widgets.UnfoldAdminPasswordWidget
        if told.secret
        else widgets.UnfoldAdminTextInputWidget
    )
    return forms.CharField(
        label=told.label,
        help_text="Empty: stays as it is." if keep else told.help,
        required=told.required and not keep,
        strip=True,
        widget=kind(attrs),
    )


def credential_fields(
    fields: Sequence[CredentialField], *, keep: bool = False
) -> dict[str, forms.CharField]:
    """Return the form fields of a provider, named so that no other field is met."""
    return {f"credential_{told.name}": credential(told, keep=keep) for told in fields}


def credentials_of(cleaned: dict) -> dict[str, str]:
    """Return the credentials that were typed; empty ones are left out."""
    start = "credential_"
    return {
        name.removeprefix(start): value
        for name, value in cleaned.items()
        if name.startswith(start) and value
    }
