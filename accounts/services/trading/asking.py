"""One question to the provider about orders, trades or positions, and what failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from accounts.models import Connection
from accounts.services.calling import call
from providers import Provider
from providers.errors import (
    FAULTS,
    AuthenticationFailed,
    CircuitOpen,
    ConsentNeeded,
    ProviderError,
    RateLimited,
    Unavailable,
    UnexpectedResponse,
    words_of,
)
from providers.trading import ReportsTrading
from providers.wire import Call, Request, watched

T = TypeVar("T")
HOPELESS = (AuthenticationFailed, ConsentNeeded)
TRIES = 3  # of what is unavailable, before the rest goes on without it
PAUSE = 5.0  # seconds before what was unavailable is asked again
LONGEST_WAIT = 900.0  # seconds after which a wait is looked at again


class Wait(Exception):
    """The provider, or its budget, wants to be left alone for so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = min(max(seconds, 0.05), LONGEST_WAIT)


class Asker:
    """Asks one connection's provider, and counts the requests."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.requests = connection, 0

    def ask(self, make: Callable[[ReportsTrading], Call[T]]) -> T:
        """Return what the provider answers; raises Wait, and any other ProviderError."""
        try:
            return call(self.connection, lambda p: self._counted(p, make))
        except (RateLimited, CircuitOpen) as error:
            raise Wait(error.retry_after or PAUSE) from error

    def _counted(
        self, provider: Provider, make: Callable[[ReportsTrading], Call[T]]
    ) -> Call[T]:
        def count(_: Request) -> None:
            self.requests += 1

        try:
            return (yield from watched(make(cast(ReportsTrading, provider)), count))
        except FAULTS as fault:
            raise UnexpectedResponse(words_of(provider.name, fault)) from fault


def gives_up(failures: dict[str, int], what: str, error: ProviderError) -> bool:
    """Say whether `what` failed for good; raises Wait where it is asked again soon."""
    if isinstance(error, HOPELESS):
        raise error
    if not isinstance(error, Unavailable):
        return True
    failures[what] = failures.get(what, 0) + 1
    if failures[what] >= TRIES:
        return True
    raise Wait(PAUSE) from error
