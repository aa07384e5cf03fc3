"""How often the cache of balances has what is asked for, counted by each process."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

import structlog

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
    _until: float = field(default_factory=lambda: monotonic() + WINDOW)
    _lock: Lock = field(default_factory=Lock)

    def count(self, hit: bool) -> None:
        """Count one look-up."""
        with self._lock:
            self.hits += hit
            self.misses += not hit
            if monotonic() >= self._until:
                self.close_window()

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
