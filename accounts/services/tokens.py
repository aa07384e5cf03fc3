"""Renews tokens that work once: a committed lease, one request, both tokens committed.

The network is never inside a transaction, and a new token is used only after it is stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.timezone import now

from accounts.models import Connection
from accounts.models.connection import ConnectionQuerySet
from providers.base import Provider, RenewsTokens, Tokens
from providers.drivers.fleet import fleet
from providers.errors import (
    AuthenticationFailed,
    ProviderError,
    Unavailable,
)
from providers.wire import Call

from .adapters import adapter_of

log = structlog.get_logger(__name__)
Jobs = Sequence[tuple[Provider, Call[Tokens]]]
Run = Callable[[Jobs], Sequence[Tokens | ProviderError]]
SOON = timedelta(seconds=90)  # a token that ends so soon is renewed before it is used
PATIENCE = 10.0  # seconds for which a loser waits for the winner's token
LOOK = 0.1  # seconds between two looks at it
DEADLINE = 15.0  # seconds: shorter than the lease
LONGEST = (
    10 * 366 * 86_400
)  # seconds: some say "for ever" with more than a moment holds


class RefreshedElsewhere(Unavailable):
    """Somebody else renews this token right now."""

    code = "refresh_running"


def expires_soon(connection: Connection, provider: Provider, moment: datetime) -> bool:
    """Return whether the token should be renewed before it is used."""
    if isinstance(provider, RenewsTokens) and provider.lacks_token:
        return True
    ends = connection.token_expires_at
    return ends is not None and ends - SOON < moment and not connection.needs_person


def by_fleet(jobs: Jobs) -> Sequence[Tokens | ProviderError]:
    """Ask for many tokens at once."""
    return fleet().run_all(jobs, seconds=DEADLINE)


def refresh_all(
    connections: Iterable[Connection], *, run: Run = by_fleet
) -> dict[UUID, ProviderError]:
    """Give every connection a new token, and return why some have none.

    The objects hold the new credentials afterwards, whoever renewed them.
    """
    waiting = {c.pk: c for c in connections}
    won = [c for c in waiting.values() if _claim(c)]
    failed = _refresh(won, run)
    lost = {pk: c for pk, c in waiting.items() if c not in won}
    return failed | _wait_for(lost)


def _claim(connection: Connection) -> bool:
    """Take the lease on the token that `connection` knows; False if it is taken or old.

    A lease that ran out belonged to somebody who died: whether the token was used, only
    the provider knows, so it is asked. A used token is refused, and a person is called.
    """
    free = Q(refresh_lease_until=None) | Q(refresh_lease_until__lt=Now())
    until = Now() + Connection.REFRESH_LEASE
    return _unchanged(connection).filter(free).update(refresh_lease_until=until) == 1


def _refresh(connections: Sequence[Connection], run: Run) -> dict[UUID, ProviderError]:
    """Ask, and store what came.

    The driver asks again when an answer is lost: a token that was used up by then is
    refused, and that says for certain that only a person can go on.
    """
    answers = _ask(connections, run)
    failed = {}
    for connection in connections:
        answer = answers[connection.pk]
        if isinstance(answer, ProviderError):
            failed[connection.pk] = answer
            _release(connection, answer)
        else:
            store(connection, answer)
    return failed


def _ask(
    connections: Sequence[Connection], run: Run
) -> dict[UUID, Tokens | ProviderError]:
    answers: dict[UUID, Tokens | ProviderError] = {}
    jobs, asked = [], []
    for connection in connections:
        try:
            provider = adapter_of(connection)
        except ProviderError as error:
            answers[connection.pk] = error
            continue
        jobs.append((provider, _refreshing(provider)))
        asked.append(connection.pk)
    if jobs:
        answers |= zip(asked, run(jobs), strict=True)
    return answers


def _refreshing(provider: Provider) -> Call[Tokens]:
    if not isinstance(provider, RenewsTokens):
        yield from ()
        raise AuthenticationFailed(f"{provider.name} has no tokens to renew")
    return (yield from provider.refresh())


def store(connection: Connection, tokens: Tokens) -> None:
    """Commit new tokens, before anybody uses them, and show them to `connection`."""
    clear = connection.open_credentials() | dict(tokens.credentials)
    lasts = tokens.expires_in and timedelta(seconds=min(tokens.expires_in, LONGEST))
    stored = _unchanged(connection).update(
        credentials=connection.seal_credentials(clear),
        token_version=F("token_version") + 1,
        token_expires_at=lasts and now() + lasts,
        refresh_lease_until=None,
        external_user=tokens.user or connection.external_user,
        **({"consent_expires_at": tokens.consent_ends} if tokens.consent_ends else {}),
    )
    if not stored:
        log.warning(
            "A person gave new tokens meanwhile, or archived the connection",
            connection=str(connection.pk),
        )
    reload(connection)


def _unchanged(connection: Connection) -> ConnectionQuerySet:
    """Return the row while it is in use with the tokens that `connection` knows."""
    return Connection.objects.in_use().filter(
        pk=connection.pk, token_version=connection.token_version
    )


def reload(connection: Connection) -> None:
    """Show `connection` the credentials as they are stored now."""
    connection.refresh_from_db(
        fields=[
            "credentials",
            "token_version",
            "token_expires_at",
            "refresh_lease_until",
            "external_user",
            "health",
        ]
    )


def _release(connection: Connection, error: ProviderError) -> None:
    mine = _unchanged(connection)
    if isinstance(error, AuthenticationFailed):
        log.warning("A token cannot be renewed", connection=str(connection.pk))
        mine.update(refresh_lease_until=None, **_reconnect(error))
    else:
        mine.update(refresh_lease_until=None)
    reload(connection)


def reconnect_needed(connection: Connection, error: ProviderError) -> None:
    """Note that only a person can go on; whoever typed new credentials is not undone."""
    _unchanged(connection).update(**_reconnect(error))
    reload(connection)


def _reconnect(error: ProviderError) -> dict[str, str]:
    return {
        "health": Connection.Health.RECONNECT_NEEDED,
        "error_code": error.code,
        "error": str(error)[:2000],
    }


def _wait_for(connections: dict[UUID, Connection]) -> dict[UUID, ProviderError]:
    """Wait for the tokens that others are renewing; return who still has none."""
    waiting, failed = dict(connections), dict[UUID, ProviderError]()
    ends = time.monotonic() + PATIENCE
    while waiting:
        rows = Connection.objects.filter(pk__in=waiting)
        for pk, version, leased, health in rows.values_list(
            "pk", "token_version", "refresh_lease_until", "health"
        ):
            if version != waiting[pk].token_version:
                reload(waiting.pop(pk))
            elif leased is None:  # the winner got none
                failed[pk] = _why_none(health)
                reload(waiting.pop(pk))
        if time.monotonic() > ends:
            break
        time.sleep(LOOK if waiting else 0)
    return failed | {pk: RefreshedElsewhere() for pk in waiting}


def _why_none(health: str) -> ProviderError:
    if health == Connection.Health.RECONNECT_NEEDED:
        return AuthenticationFailed("The token could not be renewed")
    return RefreshedElsewhere("The token could not be renewed now")
