"""What one asset is worth in another: a table that people keep, and what tickers say."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.timezone import now

from accounts import services
from accounts.models import ExchangeRate
from accounts.models.rate import TYPED
from accounts.portfolio.rates import RateError

from . import inputs, show
from .base import Role, ScopedAdmin, tell, verb


class RateForm(forms.ModelForm):
    """A rate that a person writes down; its moment is when it is saved."""

    class Meta:
        model = ExchangeRate
        fields = ["workspace", "base", "quote", "value", "good_for_hours"]

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["value"] = self.instance.plain_value

    def clean(self) -> dict:
        typed = super().clean()
        row = self.instance
        known = not row._state.adding
        told = [
            getattr(row, name) if known else typed.get(name)
            for name in ("workspace", "base", "quote")
        ]
        value = typed.get("value")
        if value is None or not all(told):
            return typed
        try:
            services.check_rate(*told, value, instead=row.pk if known else None)
        except RateError as error:
            raise forms.ValidationError(str(error)) from error
        return typed


def is_typed(row: ExchangeRate) -> bool:
    return row.source == TYPED


@admin.register(ExchangeRate)
class ExchangeRateAdmin(ScopedAdmin):
    """The rates that totals are worked out by."""

    form = RateForm
    may_add = may_change = True
    add_role = change_role = Role.ADMIN
    verbs = ("remove",)
    list_display = ["pair", "age", "source", "workspace"]
    list_filter = ["base", "quote", "source"]
    list_select_related = ["workspace"]
    fields = ["workspace", "base", "value", "quote", "good_for_hours"]

    def get_readonly_fields(self, request, obj=None):
        return ["workspace", "base", "quote"] if obj else []

    def has_change_permission(self, request, obj=None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or is_typed(obj))

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name == "workspace":
            return inputs.workspace(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request, obj, form, change) -> None:
        obj.as_of = now()
        super().save_model(request, obj, form, change)

    def notices(self, request, row: ExchangeRate):
        if row.rate.is_stale(now()):
            yield f"This is stale: it was true {show.exact(row.as_of)}. Save it anew."

    @admin.display(description="Rate", ordering="base")
    def pair(self, row: ExchangeRate) -> str:
        return str(row)

    @admin.display(description="Age", ordering="as_of")
    def age(self, row: ExchangeRate) -> SafeString:
        return rate_age(row)

    @verb("Remove", tone="bad", role=Role.ADMIN, hint="Totals go on without it")
    def remove(self, request, row: ExchangeRate):
        row.delete()
        tell(request, f"{row} is removed.")
        return redirect(reverse("admin:accounts_exchangerate_changelist"))


def rate_age(row: ExchangeRate) -> SafeString:
    """Return how old a rate is, as a badge."""
    ago = f"{show.span((now() - row.as_of).total_seconds())} ago"
    hint = f"{row.source}, {show.exact(row.as_of)}"
    if row.rate.is_stale(now()):
        return show.label(f"stale · {ago}", "warn", hint)
    return show.label(ago, "", hint)
