from __future__ import annotations

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import now

import providers
from accounts import services
from accounts.models import Connection
from providers.base import (
    Authorizes,
    RegistersWebhooks,
    SendsWebhooks,
    TakesTypedBalances,
)
from providers.errors import ProviderError
from providers.trading import ReportsTrading

from . import show
from .account import request_emergency, request_syncs
from .base import Panel, Role, ScopedAdmin, save_changed, tell, verb, warn
from .connect import ConnectPage, CredentialsForm, TypedAccountForm, to_provider
from .panels import accounts_panel, syncs_panel, webhooks_panel
from .traded import trading_panels

ADDRESS = "Address for webhooks"


def can(port: type):
    """Return whether a row's provider has `port`; an archived row can do nothing."""

    def asks(row: Connection) -> bool:
        if row.archived_at or row.provider not in providers.slugs():
            return False
        return issubclass(providers.load(row.provider), port)

    return asks


takes_typed = can(TakesTypedBalances)
authorizes = can(Authorizes)
sends_webhooks = can(SendsWebhooks)
registers_webhooks = can(RegistersWebhooks)
reports_trading = can(ReportsTrading)


def listens(row: Connection) -> bool:
    return sends_webhooks(row) and row.webhook_digest is not None


def tells_hooks(row: Connection) -> bool:
    return listens(row) and registers_webhooks(row)


def in_use(row: Connection) -> bool:
    return row.archived_at is None


def can_be_asked(row: Connection) -> bool:
    return in_use(row) and not takes_typed(row)


def has_credentials(row: Connection) -> bool:
    return can_be_asked(row) and bool(providers.load(row.provider).fields)


def without_trading(options: dict) -> dict:
    kept = [name for name in options["fields"] if name != "trading_interval_seconds"]
    return {**options, "fields": kept}


@admin.register(Connection)
class ConnectionAdmin(ScopedAdmin):
    """Consents and credentials, their health, and what a person must do about it."""

    may_add = True
    may_change = True
    change_role = Role.ADMIN
    verbs = (
        "connect_in_browser",
        "sync_now",
        "emergency_sync",
        "test",
        "archive",
        "replace_credentials",
        "open_webhooks",
        "show_webhooks",
        "close_webhooks",
        "add_account",
    )
    actions = ["sync_chosen"]
    list_display = [
        "name",
        "where",
        "state",
        "last_success",
        "consent",
        "trouble",
        "buttons_here",
    ]
    list_filter = ["health", "provider"]
    search_fields = ["label", "provider", "external_user"]
    list_select_related = ["workspace"]
    ordering = ["archived_at", "created"]
    readonly_fields = [
        "where",
        "workspace",
        "state",
        "trouble",
        "failures",
        "last_sync",
        "last_success",
        "next_sync",
        "consent",
        "external_user",
        "archived_at",
    ]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("state", "where"),
                    ("last_success", "last_sync"),
                    ("next_sync", "consent"),
                    ("trouble", "failures"),
                    ("workspace", "external_user"),
                ]
            },
        ),
        (
            "Yours to change",
            {
                "fields": [
                    "label",
                    "sync_interval_seconds",
                    "trading_interval_seconds",
                    "consent_expires_at",
                ]
            },
        ),
    ]

    def get_fieldsets(self, request, obj=None):
        """Ask only what means something for a row's provider."""
        told = super().get_fieldsets(request, obj)
        if obj is None or reports_trading(obj):
            return told
        return [(title, without_trading(options)) for title, options in told]

    def save_model(self, request, obj, form, change) -> None:
        save_changed(obj, form)
        services.keep_pace(obj)

    @admin.display(description="Connection", ordering="label")
    def name(self, row: Connection) -> str:
        return str(row)

    @admin.display(description="Provider", ordering="provider")
    def where(self, row: Connection) -> str:
        return show.provider(row.provider)

    @admin.display(description="Health", ordering="health")
    def state(self, row: Connection) -> SafeString:
        return show.health(row)

    @admin.display(description="Last sync", ordering="last_sync_at")
    def last_sync(self, row: Connection) -> SafeString:
        return show.when(row.last_sync_at)

    @admin.display(description="Last success", ordering="last_success_at")
    def last_success(self, row: Connection) -> SafeString:
        return show.when(row.last_success_at)

    @admin.display(description="Next sync", ordering="next_sync_at")
    def next_sync(self, row: Connection) -> SafeString:
        return show.when(row.next_sync_at)

    @admin.display(description="Consent ends", ordering="consent_expires_at")
    def consent(self, row: Connection) -> SafeString:
        return show.deadline(row.consent_expires_at, row.consent_days_left)

    @admin.display(description="What is wrong")
    def trouble(self, row: Connection) -> SafeString:
        if not row.error:
            return show.NOTHING
        return format_html('<span class="bs-trouble">{}</span>', row.error)

    @admin.display(description="")
    def buttons_here(self, row: Connection) -> SafeString:
        """Return the one button that matters most in a list."""
        if row.needs_person and authorizes(row):
            return self._button(row, "connect_in_browser", "Reconnect", "main")
        if row.needs_person and has_credentials(row):
            return self.reconnect_link(row)
        if can_be_asked(row):
            return self._button(row, "sync_now", "Sync now", "small")
        return format_html("")

    def reconnect_link(self, row: Connection) -> SafeString:
        """Return the way to where new credentials are typed in."""
        return format_html(
            '<a class="bs-button bs-button--main" href="{}">Reconnect</a>',
            show.page(row),
        )

    def _button(self, row: Connection, name: str, text: str, tone: str) -> SafeString:
        # The list is one form already: the button only says where it goes.
        return format_html(
            '<button type="submit" formaction="{}" class="bs-button bs-button--{}">{}'
            "</button>",
            self.verb_url(row, name),
            tone,
            text,
        )

    def notices(self, request, row: Connection) -> Iterable[str]:
        if row.health == Connection.Health.RECONNECT_NEEDED:
            yield f"Only a person can go on: connect again. {row.error}"
        if row.health == Connection.Health.AWAITING_APPROVAL:
            yield "Consent was given but not confirmed: approve it in the provider's app."
        if row.consent_days_left is not None and row.consent_days_left < 7:
            yield "The consent ends soon, or has ended: connect again to renew it."
        if row.is_silent:
            yield f"No good sync for {show.span(row.silent_for(now()).total_seconds())}."
        if row.archived_at is None:
            yield from services.warnings_of(row.key_may)
        if row.archived_at:
            yield "This connection is archived; its secrets were erased."
        if lost := row.webhook_events.given_up().count():
            yield (
                f"What {lost} {'event' if lost == 1 else 'events'} of the last 30 days "
                "hinted at could not be read within a day: no rule was started for it."
            )

    def panels(self, request, row: Connection) -> Iterable[Panel]:
        yield accounts_panel(row)
        yield from trading_panels(row, self.history_list)
        yield syncs_panel(row, self.history_list)
        if sends_webhooks(row):
            yield webhooks_panel(row, self.history_list)

    def add_view(self, request, form_url="", extra_context=None) -> HttpResponse:
        """Choose a provider, then say what it needs."""
        return ConnectPage(self, request).answer()

    @verb("Connect in browser", tone="main", role=Role.ADMIN, shown=authorizes)
    def connect_in_browser(self, request, row: Connection) -> HttpResponse:
        return to_provider(request, row)

    @verb("Sync now", shown=can_be_asked)
    def sync_now(self, request, row: Connection) -> None:
        request_syncs(request, [row])

    @verb(
        "Emergency sync",
        hint="Read everything again, as far back as the provider tells",
        shown=can_be_asked,
    )
    def emergency_sync(self, request, row: Connection) -> HttpResponse:
        return request_emergency(request, row)

    @verb("Test", hint="Ask the provider once, change nothing", shown=can_be_asked)
    def test(self, request, row: Connection) -> None:
        found = services.test_connection(row)
        if not found.ok:
            warn(request, f"It does not work: {found.error}")
            return
        able = ", ".join(map(show.words, found.may))
        tell(request, f"It works: {found.accounts} accounts seen; may {able}.")
        for text in found.warnings:
            warn(request, text)
        for text in found.notes:
            tell(request, text)

    @verb("Archive", tone="bad", role=Role.ADMIN, hint="Erases secrets", shown=in_use)
    def archive(self, request, row: Connection) -> None:
        row.archive()
        tell(request, f"{row} is archived and its secrets are erased.")

    @verb(
        "Replace credentials",
        role=Role.ADMIN,
        hint="What is stored is never shown.",
        form=CredentialsForm,
        shown=has_credentials,
    )
    def replace_credentials(self, request, row: Connection, **typed: str) -> None:
        services.update_credentials(row, typed)
        tell(request, "The credentials are replaced.")

    @verb(
        "Receive webhooks",
        role=Role.ADMIN,
        hint="Open a new secret address; an older one is dead from then on",
        shown=sends_webhooks,
    )
    def open_webhooks(self, request, row: Connection) -> HttpResponse | None:
        try:
            opened = services.listen(row)
        except ProviderError as error:
            warn(request, f"The provider could not be told: {error}")
            return None
        if opened.where:
            template, back = "accounts/webhook_address.html", show.page(row)
            return self.render_once(
                request, template, ADDRESS, row=row, opened=opened, back=back
            )
        tell(request, "The provider calls a new secret address from now on.")
        return None

    @verb(
        "List webhooks",
        role=Role.ADMIN,
        hint="Ask the provider which addresses it calls",
        shown=tells_hooks,
    )
    def show_webhooks(self, request, row: Connection) -> None:
        try:
            found = services.hooks(row)
        except ProviderError as error:
            warn(request, f"The provider does not say: {error}")
            return
        tell(request, "It calls: " + (", ".join(found) or "nobody"))

    @verb(
        "Stop webhooks",
        role=Role.ADMIN,
        hint="Close the address",
        shown=listens,
    )
    def close_webhooks(self, request, row: Connection) -> None:
        try:
            services.stop_listening(row)
        except ProviderError as error:
            warn(request, f"It is closed here, but the provider was not told: {error}")
            return
        tell(request, "The address is closed: nobody can call it any more.")

    @verb("Add account", role=Role.ADMIN, form=TypedAccountForm, shown=takes_typed)
    def add_account(self, request, row: Connection, **typed) -> HttpResponse:
        account = services.create_typed_account(row, typed["name"], typed["asset"])
        return HttpResponseRedirect(show.page(account))

    @admin.action(description="Sync now", permissions=["operate"])
    def sync_chosen(self, request, rows: QuerySet[Connection]) -> None:
        allowed = rows.filter(pk__in=self.operable(request, rows))
        request_syncs(request, [row for row in allowed if can_be_asked(row)])
