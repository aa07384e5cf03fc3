"""A rate budget: how much may be asked of a provider, by all processes together."""

from __future__ import annotations

from math import ceil
from threading import Lock
from time import monotonic

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from .store import Store, StoreAway

BLOCK = 50  # one in so many parts of the budget is taken at a time
PROCESSES = 4  # how many share what is left to each when the store is away


class Budget:
    """So much weight per so many seconds. Blocks are leased, so most requests ask nobody."""

    def __init__(
        self, name: str, rate: tuple[int, float], store: Store | None = None
    ) -> None:
        weight, seconds = rate
        self.name = name
        self._item = _item(weight, seconds)
        self._poor = _item(max(1, weight // PROCESSES), seconds)
        self._store = store
        self._shared = _limiter(store) if store else None
        self._local = MovingWindowRateLimiter(MemoryStorage())
        self._lasts = min(1.0, seconds / 10)  # seconds; older leases belong to the past
        self._left, self._ends = 0, 0.0
        self._lock = Lock()

    def spend(self, weight: int) -> bool:
        """Pay `weight` out of what this process holds; asks nobody."""
        with self._lock:
            if self._left < weight or monotonic() >= self._ends:
                return False
            self._left -= weight
            return True

    def lease(self, weight: int) -> float:
        """Pay `weight` out of what all share; return 0, or seconds to wait before asking again."""
        with self._lock:
            block = max(weight, self._item.amount // BLOCK)
            for amount in sorted({block, weight}, reverse=True):
                if self._hit(amount):
                    self._keep(amount - weight)
                    return 0.0
        even = self._item.get_expiry() * weight / self._item.amount
        return min(1.0, max(0.02, even))

    def _keep(self, weight: int) -> None:
        now = monotonic()
        self._left = weight + (self._left if now < self._ends else 0)
        self._ends = now + self._lasts

    def _hit(self, amount: int) -> bool:
        if self._shared is None or self._store is None:
            return self._take(self._local, self._item, amount)
        shared = self._shared
        try:
            return self._store.ask(lambda: self._take(shared, self._item, amount))
        except StoreAway:
            return self._take(self._local, self._poor, amount)

    def _take(
        self,
        limiter: MovingWindowRateLimiter,
        item: RateLimitItemPerSecond,
        amount: int,
    ) -> bool:
        # What weighs more than the whole budget would otherwise wait for ever.
        return limiter.hit(item, self.name, cost=min(amount, item.amount))


def _limiter(store: Store) -> MovingWindowRateLimiter:
    storage = RedisStorage("redis://", connection_pool=store.pool)
    return MovingWindowRateLimiter(storage)


def _item(weight: int, seconds: float) -> RateLimitItemPerSecond:
    # The library counts whole seconds: the same rate over the next whole number of them.
    whole = max(1, ceil(seconds))
    allowed = max(1, int(weight * whole / seconds))
    return RateLimitItemPerSecond(allowed, whole, namespace="budget")
