"""Results on their way from the loop's thread to the caller's."""

from __future__ import annotations

from threading import Event, Lock
from typing import Generic

from providers.errors import ProviderError
from providers.wire import T


class Harvest(Generic[T]):
    """Collects results until they fill a chunk or have waited long enough."""

    def __init__(self, expected: int, chunk: int) -> None:
        self._chunk, self._missing = chunk, expected
        self._lock, self._wake = Lock(), Event()
        self._ready: list[tuple[int, T | ProviderError]] = []

    def put(self, index: int, result: T | ProviderError) -> None:
        """Add one result; called by the loop's thread alone."""
        with self._lock:
            self._ready.append((index, result))
        self._missing -= 1
        if not self._missing or len(self._ready) >= self._chunk:
            self._wake.set()

    def stop(self, _done: object = None) -> None:
        """Wake the caller: nothing more will come."""
        self._wake.set()

    def take(self, linger: float) -> list[tuple[int, T | ProviderError]]:
        """Return what came, once it fills a chunk or `linger` seconds are over."""
        self._wake.wait(linger)
        self._wake.clear()
        with self._lock:
            taken, self._ready = self._ready, []
        return taken
