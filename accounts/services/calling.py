"""One call to one connection's provider, now, with a token that is still good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from accounts.models import Connection
from providers import Provider
from providers.base import RenewsTokens, Tokens
from providers.drivers.blocking import blocking
from providers.errors import AuthenticationFailed, ProviderError
from providers.wire import Call, T

from . import tokens
from .adapters import adapter_of


def call(connection: Connection, make: Callable[[Provider], Call[T]]) -> T:
    """Return what the call that `make` builds returns; raises ProviderError.

    A rejected token is renewed once. Nothing was done with a rejected token, so the
    same call, with the same dedupe id, is made again.
    """
    provider = adapter_of(connection)
    if isinstance(provider, RenewsTokens) and provider.lacks_token:
        refresh(connection)
        provider = adapter_of(connection)
    try:
        return _run(connection, provider, make)
    except AuthenticationFailed as error:
        if not isinstance(provider, RenewsTokens):
            tokens.reconnect_needed(connection, error)
            raise
    refresh(connection)
    try:
        return _run(connection, adapter_of(connection), make)
    except AuthenticationFailed as error:
        tokens.reconnect_needed(connection, error)
        raise


def refresh(connection: Connection) -> None:
    """Give `connection` a new token; raises ProviderError if it cannot have one."""
    failed = tokens.refresh_all(
        [connection], run=partial(_in_turn, connection.provider)
    )
    if connection.pk in failed:
        raise failed[connection.pk]


def _in_turn(
    slug: str, jobs: Sequence[tuple[Provider, Call[Tokens]]]
) -> list[Tokens | ProviderError]:
    return [_attempt(slug, provider, asked) for provider, asked in jobs]


def _attempt(
    slug: str, provider: Provider, asked: Call[Tokens]
) -> Tokens | ProviderError:
    try:
        return blocking(slug).run(provider, asked)
    except ProviderError as error:
        return error


def _run(
    connection: Connection, provider: Provider, make: Callable[[Provider], Call[T]]
) -> T:
    return blocking(connection.provider).run(provider, make(provider))
