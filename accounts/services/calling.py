"""One call to one connection's provider, now, with a token that is still good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from accounts.models import Connection
from providers import Provider
from providers.base import RenewsTokens, Tokens
from providers.drivers.blocking import blocking
from providers.drivers.fleet import fleet
from providers.errors import AuthenticationFailed, ProviderError
from providers.wire import Call, T

from . import tokens
from .adapters import adapter_of

Job = tuple[Connection, Callable[[Provider], Call[T]]]
LINGER = 0.05  # seconds for which an answer may wait for others


def call(connection: Connection, make: Callable[[Provider], Call[T]]) -> T:
    """Return what the call that `make` builds returns; raises ProviderError.

    A rejected token is renewed once. Nothing was done with a rejected token, so the
    same call, with the same dedupe id, is made again.
    """
    provider = _prepared(connection)
    try:
        return _run(connection, provider, make)
    except AuthenticationFailed as error:
        return _again(connection, provider, make, error)


def _again(
    connection: Connection,
    provider: Provider,
    make: Callable[[Provider], Call[T]],
    error: AuthenticationFailed,
) -> T:
    """Make a call once more whose token was rejected with `error`."""
    if not isinstance(provider, RenewsTokens):
        tokens.reconnect_needed(connection, error)
        raise error
    refresh(connection)
    try:
        return _run(connection, adapter_of(connection), make)
    except AuthenticationFailed as again:
        tokens.reconnect_needed(connection, again)
        raise


def call_each(jobs: Sequence[Job[T]]) -> Iterator[list[tuple[int, T | ProviderError]]]:
    """Yield place and answer, or failure, of each of `jobs`, many together as they come.

    They go out at once. Each is made as `call` does: whose token is rejected is asked
    again with another before the next answers are looked at. What is no ProviderError
    is raised, and the rest is given up.
    """
    ready: list[tuple[int, Provider]] = []
    for place, (connection, _) in enumerate(jobs):
        try:
            ready.append((place, _prepared(connection)))
        except ProviderError as error:
            yield [(place, error)]
    asked = [(provider, jobs[place][1](provider)) for place, provider in ready]
    for chunk in _all_at_once(asked):
        heard = [(*ready[number], answer) for number, answer in chunk]
        fine = [
            (place, answer)
            for place, _, answer in heard
            if not isinstance(answer, AuthenticationFailed)
        ]
        if fine:
            yield fine
        for place, provider, answer in heard:
            if isinstance(answer, AuthenticationFailed):
                yield [(place, _anew(jobs[place], provider, answer))]


def _anew(
    job: Job[T], provider: Provider, error: AuthenticationFailed
) -> T | ProviderError:
    connection, make = job
    try:
        return _again(connection, provider, make, error)
    except ProviderError as failed:
        return failed


def _prepared(connection: Connection) -> Provider:
    """Return the provider of `connection`, with a token if it takes one."""
    provider = adapter_of(connection)
    if isinstance(provider, RenewsTokens) and provider.lacks_token:
        refresh(connection)
        provider = adapter_of(connection)
    return provider


def _all_at_once(
    jobs: Sequence[tuple[Provider, Call[T]]],
) -> Iterator[list[tuple[int, T | ProviderError]]]:
    if jobs:
        longest = max(provider.deadline for provider, _ in jobs)
        yield from fleet().run_each(jobs, seconds=longest, linger=LINGER)


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
