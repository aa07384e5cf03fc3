"""Connecting: choose a provider, then type what it asks for."""

from __future__ import annotations

from functools import cached_property

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect

import providers
from accounts import services
from accounts.models import Connection
from providers.base import Authorizes, TakesTypedBalances
from providers.errors import ProviderError
from providers.money import Asset, MoneyError

from . import inputs, show
from .base import tell, warn


class ConnectForm(forms.Form):
    """A workspace, a label, and the fields that the provider names."""

    label = inputs.text(required=False, max_length=100, help_text="What you call it.")

    def __init__(self, *args, request, adapter: type[providers.Provider], **kw) -> None:
        super().__init__(*args, **kw)
        chosen = {"workspace": inputs.workspace(request)}
        self.fields = chosen | self.fields | inputs.credential_fields(adapter.fields)


class CredentialsForm(forms.Form):
    """New credentials for a connection; empty ones stay."""

    def __init__(self, *args, row: Connection, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        told = providers.load(row.provider).fields
        self.fields |= inputs.credential_fields(told, keep=True)

    def clean(self) -> dict[str, str]:
        typed = inputs.credentials_of(self.cleaned_data)
        if not typed:
            raise forms.ValidationError("Nothing was typed.")
        return typed


class TypedAccountForm(forms.Form):
    """An account whose balances a person types, such as cash."""

    name = inputs.text(max_length=200)
    asset = inputs.text(initial="GBP/2", help_text="Code and decimals, such as GBP/2.")

    def __init__(self, *args, row: Connection, **kwargs) -> None:
        super().__init__(*args, **kwargs)

    def clean_asset(self) -> str:
        try:
            return str(Asset.parse(self.cleaned_data["asset"]))
        except MoneyError as error:
            raise forms.ValidationError(str(error)) from error


class ConnectPage:
    """One visit to the page that adds a connection."""

    template = "accounts/connect.html"

    def __init__(self, model_admin, request) -> None:
        self.admin, self.request = model_admin, request

    @cached_property
    def adapter(self) -> type[providers.Provider] | None:
        slug = self.request.GET.get("provider", "")
        return providers.load(slug) if slug in providers.slugs() else None

    def answer(self) -> HttpResponse:
        """Show the choice or the form, or connect."""
        if not self.admin.has_add_permission(self.request):
            raise PermissionDenied
        if self.adapter is None:
            return self.render(choices=[choice(slug) for slug in providers.slugs()])
        typed = self.request.POST if self.request.method == "POST" else None
        form = ConnectForm(typed, request=self.request, adapter=self.adapter)
        if form.is_bound and form.is_valid():
            return self.connect(form)
        return self.show_form(form)

    def show_form(self, form: ConnectForm) -> HttpResponse:
        browser = issubclass(self.adapter, Authorizes)
        return self.render(form=form, name=self.adapter.name, in_browser=browser)

    def connect(self, form: ConnectForm) -> HttpResponse:
        """Make the connection; go to the provider at once where consent is given there."""
        typed = form.cleaned_data
        try:
            made = services.connect(
                typed["workspace"],
                self.request.GET["provider"],
                inputs.credentials_of(typed),
                label=typed["label"],
            )
        except ProviderError as error:
            form.add_error(None, str(error))
            return self.show_form(form)
        self.admin.log_addition(self.request, made, "Connected")
        if "_authorize" in self.request.POST and issubclass(self.adapter, Authorizes):
            return to_provider(self.request, made)
        tell(self.request, f"{made} is connected.")
        return redirect(show.page(made))

    def render(self, **context) -> HttpResponse:
        return self.admin.render(self.request, self.template, "Connect", **context)


def to_provider(request, row: Connection) -> HttpResponse:
    """Send the browser to where the person consents."""
    try:
        url = services.start_authorization(row, user=request.user)
    except ProviderError as error:
        warn(request, str(error))
        return redirect(show.page(row))
    return HttpResponseRedirect(url)


def choice(slug: str) -> tuple[str, str, str]:
    """Return a provider with how one connects to it, in words."""
    adapter = providers.load(slug)
    if issubclass(adapter, TakesTypedBalances):
        return slug, adapter.name, "You type the balances"
    if issubclass(adapter, Authorizes):
        return slug, adapter.name, "You consent in the browser"
    return slug, adapter.name, "You give it a key"
