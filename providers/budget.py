"""A rate budget: how much may be asked of a provider, by all processes together.

What is paid here never exceeds what the provider allows, whenever it counts a request
between its sending and its answer: windows are a little longer than the provider's, and
a counter is a little lower.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from threading import Lock
from time import monotonic, time
from typing import Protocol

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from .base import Limit
from .store import Store, StoreAway

BLOCK = 50  # one in so many parts of the budget is taken at a time
PROCESSES = 4  # how many share what is left to each when the store is away
FLIGHT = 1.0  # seconds by which a provider may count a request later than it was paid
NEARLY = 0.97  # of the limit: told to be spent so far, it is taken for spent


class Ration(Protocol):
    """What a request has to be paid from."""

    def __hash__(self) -> int: ...

    def spend(self, weight: int) -> bool:
        """Pay `weight` out of what this process holds; asks nobody."""

    def lease(self, weight: int) -> float:
        """Pay `weight` out of what all share; return 0, or seconds to wait first."""

    def hold(self, seconds: float) -> None:
        """Let nobody pay for so long: the provider said that it is too much."""

    def told(self, used: int) -> None:
        """Hear how much the provider has counted by now."""


class Budget:
    """So much weight per so many seconds. Blocks are leased, so most requests ask nobody."""

    def __init__(self, name: str, limit: Limit, store: Store | None = None) -> None:
        self.name, self.limit = name, limit
        self._lasts = min(1.0, limit.seconds / 10)  # seconds; older leases are past
        # Between paying and being counted a window of the provider's may end.
        late = self._lasts + FLIGHT if limit.kind == "window" else 0.0
        self._item = _item(limit.weight, limit.seconds, late)
        self._poor = _item(max(1, limit.weight // PROCESSES), limit.seconds, late)
        self._store, self._held = store, Held(name, store)
        self._shared = _limiter(store) if store else None
        self._local = MovingWindowRateLimiter(MemoryStorage())
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
        if wait := self._held.left():
            return wait
        with self._lock:
            block = max(weight, self._item.amount // BLOCK)
            for amount in sorted({block, weight}, reverse=True):
                if self._hit(amount):
                    self._keep(amount - weight)
                    return 0.0
        even = self._item.get_expiry() * weight / self._item.amount
        return min(1.0, max(0.02, even))

    def hold(self, seconds: float) -> None:
        """Let nobody pay for so long."""
        with self._lock:
            self._left = 0
        self._held.hold(seconds)

    def told(self, used: int) -> None:
        """Hear how much the provider has counted: others may ask from here, too."""
        if used >= NEARLY * self.limit.weight and not self._held.known:
            self.hold(self.limit.seconds - time() % self.limit.seconds + FLIGHT)

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


@dataclass(eq=False)
class Held:
    """Until when nobody may pay, for all processes."""

    name: str
    store: Store | None
    until: float = 0.0  # monotonic seconds

    @property
    def known(self) -> bool:
        """Say whether this process knows of a hold."""
        return monotonic() < self.until

    @property
    def key(self) -> str:
        return f"hold:{self.name}"

    def hold(self, seconds: float) -> None:
        self.until = max(self.until, monotonic() + seconds)
        if self.store is None:
            return
        try:
            self.store.ask(lambda: self._share(max(1, int(seconds * 1000))))
        except StoreAway:
            return  # the others will be told by the provider

    def _share(self, milliseconds: int) -> None:
        """Let the others wait as long, unless they wait for longer already."""
        assert self.store is not None
        with self.store.redis.pipeline() as both:
            both.set(self.key, "1", px=milliseconds, nx=True)
            both.pexpire(self.key, milliseconds, gt=True)
            both.execute()

    def left(self) -> float:
        """Return the seconds to wait; what others said is asked each time it matters."""
        now = monotonic()
        if self.store is not None and not self.known:
            redis = self.store.redis
            try:
                found = int(self.store.ask(lambda: redis.pttl(self.key)))
            except StoreAway:
                found = 0
            self.until = max(self.until, now + max(0, found) / 1000)
        return max(0.0, self.until - now)


def _limiter(store: Store) -> MovingWindowRateLimiter:
    storage = RedisStorage("redis://", connection_pool=store.pool)
    return MovingWindowRateLimiter(storage)


def _item(weight: int, seconds: float, late: float = 0.0) -> RateLimitItemPerSecond:
    # The library counts whole seconds: the same rate over the next whole number of them.
    whole = max(1, ceil(seconds))
    allowed = max(1, int(weight * whole / seconds))
    return RateLimitItemPerSecond(allowed, whole + ceil(late), namespace="budget")
