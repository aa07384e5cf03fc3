"""How often the cache of balances has what is asked for, counted by each process.

What a process has counted is added to the sum of all once in a minute: a look-up itself
costs no question more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

import structlog

from providers.store import StoreAway

from . import cache

log = structlog.get_logger(__name__)
WINDOW = 60.0  # seconds that are judged together
ENOUGH = 100  # look-ups of a window that is judged at all
POOR = 50  # percent of hits


@dataclass
class Tally:
    """Counts hits and misses, and warns of a window with too few hits."""

    hits: int = 0
    misses: int = 0
    _before: tuple[int, int] = (0, 0)
    _shared: tuple[int, int] = (0, 0)
    _until: float = field(default_factory=lambda: monotonic() + WINDOW)
    _lock: Lock = field(default_factory=Lock)

    def count(self, hit: bool) -> None:
        """Count one look-up."""
        with self._lock:
            self.hits += hit
            self.misses += not hit
            over = monotonic() >= self._until
            if over:
                self.close_window()
        if over:
            self.share()

    def share(self) -> None:
        """Add what was counted here to the sum of all processes; later if that is away."""
        with self._lock:
            counted, before = (self.hits, self.misses), self._shared
            self._shared = counted
        new = (counted[0] - before[0], counted[1] - before[1])
        try:
            cache.add_lookups(*new)
        except StoreAway:
            with self._lock:
                hits, misses = self._shared
                self._shared = (hits - new[0], misses - new[1])

    def close_window(self) -> None:
        """Judge what was counted since the last window, and begin another."""
        hits, misses = self.hits - self._before[0], self.misses - self._before[1]
        self._before, self._until = (self.hits, self.misses), monotonic() + WINDOW
        if hits + misses >= ENOUGH and hits * 100 < POOR * (hits + misses):
            log.warning("balance_cache_misses", hits=hits, misses=misses)

    @property
    def rate(self) -> float | None:
        """Return the part of all look-ups that were hits, 0 to 1; None before any."""
        total = self.hits + self.misses
        return self.hits / total if total else None


tally = Tally()


def lookups() -> tuple[int, int]:
    """Return how many look-ups of all processes were hits and misses; raises StoreAway."""
    tally.share()
    return cache.lookups()
