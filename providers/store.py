"""The Redis or Valkey behind the breaker and the budget, which may be away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from redis import ConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

T = TypeVar("T")
PATIENCE = 0.5  # seconds for one answer: nobody's sync waits longer for it
AWAY = 5.0  # seconds without asking, after it could not be reached

log = logging.getLogger(__name__)


class StoreAway(Exception):
    """The shared store cannot be reached now; decide with what this process knows."""


class Store:
    """One pool of connections, and the knowledge of whether it is worth asking."""

    def __init__(self, url: str) -> None:
        self.pool = ConnectionPool.from_url(
            _plain(url),
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),
        )
        self.redis = Redis(connection_pool=self.pool)
        self._away_until = 0.0

    def ask(self, question: Callable[[], T]) -> T:
        """Return what `question` returns; raises StoreAway at once for a while after a failure."""
        if monotonic() < self._away_until:
            raise StoreAway
        try:
            return question()
        except RedisError as error:
            self._away_until = monotonic() + AWAY
            log.warning("The shared store is away; doing without: %s", error)
            raise StoreAway from error


def _plain(url: str) -> str:
    """Return the address as redis-py writes it: other libraries say `redis+socket://`."""
    scheme, separator, rest = url.partition("://")
    sockets = {"redis+socket", "redis+unix", "valkey+unix"}
    return f"unix{separator}{rest}" if scheme in sockets else url
