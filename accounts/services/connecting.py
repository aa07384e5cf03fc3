"""New connections, new credentials, and what credentials may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils.timezone import now

import providers
from accounts.models import Connection, Workspace
from providers import Provider
from providers.base import (
    Authorizes,
    DescribesKey,
    ListsMovements,
    MovesMoney,
    Observation,
    Permissions,
    TakesTypedBalances,
)
from providers.errors import ProviderError
from providers.trading import ReportsTrading

from .adapters import UnknownProvider
from .auditing import audit
from .calling import call
from .trading.keys import note_permissions

KEY_WORDS = ("trade", "withdraw", "transfer")


class CredentialsIncomplete(ProviderError):
    """A credential that the provider needs is missing."""

    code = "credentials_incomplete"


class UnknownCredential(ProviderError):
    """The provider has no such credential."""

    code = "unknown_credential"


@dataclass(frozen=True, slots=True)
class TestResult:
    """Whether credentials work, what they may do, and where they may do too much."""

    __test__ = False  # pytest would take it for a test

    ok: bool
    accounts: int = 0
    may: list[str] = field(default_factory=list)
    # What is dangerous about the key comes first.
    warnings: list[str] = field(default_factory=list)
    error_code: str = ""
    error: str = ""
    notes: list[str] = field(default_factory=list)  # of the provider, about the key
    may_withdraw: bool | None = None  # None: the provider does not tell


def connect(
    workspace: Workspace,
    provider: str,
    credentials: Mapping[str, str],
    *,
    label: str = "",
) -> Connection:
    """Store a new connection; its first sync is due at once.

    Raises UnknownProvider, UnknownCredential, CredentialsIncomplete, BadCredentials.
    """
    adapter = _adapter(provider)
    given = _checked(adapter, credentials)
    connection = Connection(
        workspace=workspace, provider=provider, label=label, credentials=given
    )
    connection.next_sync_at = _first_sync(adapter, given)
    connection.save()
    return connection


def update_credentials(
    connection: Connection, credentials: Mapping[str, str]
) -> Connection:
    """Replace some credentials by new ones, and try them soon.

    Whoever is renewing a token meanwhile loses: what a person gave counts.
    """
    adapter = _adapter(connection.provider)
    with transaction.atomic():
        locked = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        given = _checked(adapter, _typed(adapter, locked) | _named(credentials))
        Connection.objects.filter(pk=connection.pk).update(
            credentials=connection.seal_credentials(given),
            token_version=F("token_version") + 1,
            token_expires_at=None,
            refresh_lease_until=None,
            health=Connection.Health.NEW,
            error_code="",
            error="",
            failures=0,
            next_sync_at=_first_sync(adapter, given),
        )
        # Which were replaced is told; what they are is nobody's business.
        new = {"credentials": sorted(_named(credentials))}
        audit("connection.credentials_changed", connection, new=new)
    connection.refresh_from_db()
    return connection


def keep_pace(connection: Connection) -> None:
    """Let the next sync come no later than the interval that was chosen just now.

    One that fails is left to its own pauses.
    """
    latest = now() + timedelta(seconds=connection.sync_interval_seconds)
    waiting = Connection.objects.in_use().filter(pk=connection.pk, failures=0)
    waiting.filter(next_sync_at__gt=latest).update(next_sync_at=latest)
    connection.refresh_from_db(fields=["next_sync_at"])


def test_connection(connection: Connection) -> TestResult:
    """Ask the provider once and say what the credentials may do; a failure is an answer."""
    adapter = _adapter(connection.provider)
    told: Permissions | None = None
    try:
        seen: Observation = call(connection, lambda provider: provider.observe())
        if issubclass(adapter, DescribesKey):
            told = call(connection, lambda provider: provider.permissions())
    except ProviderError as error:
        return TestResult(False, error_code=error.code, error=str(error))
    warnings = note_permissions(connection, told) if told else []
    unknown = {r.error for r in seen.readings if r.total is None and r.error}
    notes = list(told.notes) if told else []
    return TestResult(
        True,
        len(seen.readings),
        _may(adapter, told),
        [*warnings, *sorted(unknown)],
        notes=notes,
        may_withdraw=told.withdraw if told else None,
    )


test_connection.__test__ = False  # type: ignore[attr-defined]


def _may(adapter: type[Provider], told: Permissions | None) -> list[str]:
    """Return what balsync does with the credentials, then what else they would allow."""
    ports = {
        "move": MovesMoney,
        "list_transactions": ListsMovements,
        "list_trades": ReportsTrading,
    }
    able = [word for word, port in ports.items() if issubclass(adapter, port)]
    more = [word for word in KEY_WORDS if told and getattr(told, word)]
    return ["read", *able, *more]


def _adapter(slug: str) -> type[Provider]:
    try:
        return providers.load(slug)
    except LookupError as error:
        raise UnknownProvider(str(error)) from error


def _checked(adapter: type[Provider], credentials: Mapping[str, str]) -> dict[str, str]:
    given = _named(credentials)
    fields = {wanted.name: wanted for wanted in adapter.fields}
    if unknown := sorted(given.keys() - fields.keys()):
        raise UnknownCredential(f"{adapter.name} takes no {', '.join(unknown)}")
    missing = [
        n for n, wanted in fields.items() if wanted.required and not given.get(n)
    ]
    if missing:
        raise CredentialsIncomplete(f"{adapter.name} needs {', '.join(missing)}")
    adapter.check_credentials(given)
    return given


def _typed(adapter: type[Provider], connection: Connection) -> dict[str, str]:
    """Return what people gave; what was issued for it ends with it."""
    stored = connection.open_credentials()
    return {n: value for n, value in stored.items() if n not in adapter.issued}


def _named(credentials: Mapping[str, str]) -> dict[str, str]:
    wrong = [str(k) for k, v in credentials.items() if not isinstance(v, str)]
    if wrong:
        raise UnknownCredential(f"{', '.join(wrong)} must be text")
    return {name: value.strip() for name, value in credentials.items()}


def _first_sync(adapter: type[Provider], given: Mapping[str, str]):
    """Return when to ask first: never where there is nobody, or nothing, to ask with."""
    if issubclass(adapter, TakesTypedBalances):
        return None
    return now() if authorized(adapter, given) else None


def authorized(adapter: type[Provider], given: Mapping[str, str]) -> bool:
    """Say whether there is anything to ask with: consent may still have to be given."""
    return not issubclass(adapter, Authorizes) or adapter.consented(given)
