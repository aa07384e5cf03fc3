"""A rate limit that counts up with each request and sinks all the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from threading import Lock
from time import monotonic

from .base import Limit
from .budget import PROCESSES, Held
from .store import Store, StoreAway

SPARE = 0.05  # of the limit: how much a request may be counted later than it was paid

LEAK = """
local now = tonumber(ARGV[1])
if now == 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local weight, most, sinks = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local level = tonumber(redis.call('HGET', KEYS[1], 'level') or '0')
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or now)
level = math.max(0, level - math.max(0, now - at) * sinks)
local wait = 0
if level + weight <= most then level = level + weight
else wait = math.ceil((level + weight - most) / sinks) end
-- Where the clock was put back it sinks from now on, not from when it comes there again.
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level),
  'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(level / sinks) + 60000)
return wait
"""


def _milliseconds() -> float:
    return monotonic() * 1000


@dataclass
class Leak:
    """A counter that sinks steadily. The same rules as `LEAK`, in Python."""

    most: float
    sinks: float  # per millisecond
    clock: Callable[[], float] = _milliseconds
    level: float = 0.0
    at: float = 0.0

    def add(self, weight: float) -> float:
        """Add `weight` and return 0, or the milliseconds after which there is room."""
        now = max(self.clock(), self.at)
        self.level = max(0.0, self.level - (now - self.at) * self.sinks)
        self.at = now
        if self.level + weight > self.most:
            return ceil((self.level + weight - self.most) / self.sinks)
        self.level += weight
        return 0.0


@dataclass(eq=False)
class Counter:
    """A limit that counts up with each request and sinks all the time."""

    name: str
    limit: Limit
    store: Store | None = None
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __post_init__(self) -> None:
        self._most = self.limit.weight * (1 - SPARE)
        self._sinks = self.limit.weight / self.limit.seconds / 1000
        self._held = Held(self.name, self.store)
        alone = PROCESSES if self.store else 1
        self._local = Leak(max(1.0, self._most / alone), self._sinks / alone)
        self._script = self.store.redis.register_script(LEAK) if self.store else None

    def spend(self, weight: int) -> bool:
        """Pay nothing: each request is counted where all see it, unless it is free."""
        return weight == 0

    def lease(self, weight: int) -> float:
        """Pay `weight`; return 0, or seconds to wait before asking again."""
        if wait := self._held.left():
            return wait
        # What weighs more than the whole counter would otherwise wait for ever.
        return self._add(min(weight, int(self._most))) / 1000

    def hold(self, seconds: float) -> None:
        """Let nobody pay for so long."""
        self._held.hold(seconds)

    def told(self, used: int) -> None:
        """Hear nothing: whoever has such a counter does not tell it."""

    def _add(self, weight: int) -> float:
        script = self._script
        if self.store is None or script is None:
            return self._alone(weight)
        about = [0, weight, self._most, self._sinks]
        try:
            return float(
                self.store.ask(lambda: script(keys=[f"leak:{self.name}"], args=about))
            )
        except StoreAway:
            return self._alone(weight)

    def _alone(self, weight: int) -> float:
        with self._lock:
            return self._local.add(weight)
