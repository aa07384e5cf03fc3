"""Turns: one holder per key at a time, first come first served, for threads and coroutines."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from concurrent.futures import Future
from threading import Lock


class Turns:
    """Hands out futures; a turn has come when its future is done."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._queues: dict[Hashable, deque[Future[None]]] = {}

    def take(self, key: Hashable) -> Future[None]:
        """Return a turn at `key`; done at once if nobody else has it."""
        turn: Future[None] = Future()
        with self._lock:
            queue = self._queues.setdefault(key, deque())
            queue.append(turn)
            first = queue[0] is turn
        if first:
            turn.set_result(None)
        return turn

    def give(self, key: Hashable, turn: Future[None]) -> None:
        """Give a turn back, also one that never came."""
        with self._lock:
            queue = self._queues[key]
            was_first = queue[0] is turn
            queue.remove(turn)
            following = queue[0] if queue and was_first else None
            if not queue:
                del self._queues[key]
        if following is not None:
            following.set_result(None)
