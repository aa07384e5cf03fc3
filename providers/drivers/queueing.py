"""What a request waits for before it is sent: its turn, its number, its budget."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Generator
from functools import partial
from threading import Lock
from time import monotonic, time_ns
from typing import Any

from providers.base import Provider, Trouble
from providers.budget import Ration
from providers.errors import RateLimited, Unavailable
from providers.numbers import Numbers, Taken
from providers.wire import Response

from .effects import Await, Consult, Effect, Pause
from .turns import Turns

BETWEEN_TURNS = 0.03  # seconds before another process is asked for its turn again
LONGEST_PAUSE = 1.0  # seconds before the budget is looked at again
CROWDED = "Other requests of the same credentials took too long"


class Nonces:
    """Numbers that only ever grow, near the time in nanoseconds."""

    def __init__(self, clock: Callable[[], int] = time_ns) -> None:
        self._clock, self._lock, self._last = clock, Lock(), 0

    def next(self) -> int:
        """Return a number above all earlier ones, also when the clock went back."""
        with self._lock:
            self._last = max(self._clock(), self._last + 1)
            return self._last


nonces = Nonces()


turns = Turns()


def numbered(numbers: Numbers, deadline: float) -> Generator[Effect, Any, int | None]:
    """Return the nonce of the next turn; None where the others cannot be asked."""
    while (left := deadline - monotonic()) > 0:
        taken: Taken = yield Consult(partial(numbers.take, left + 1.0))
        if taken.mine:
            return taken.nonce
        yield Pause(min(left, random.uniform(0.5, 1.5) * BETWEEN_TURNS))
    raise Unavailable(CROWDED)


def weighed(
    provider: Provider, ration: Ration, response: Response, trouble: Trouble | None
) -> Generator[Effect, Any, None]:
    """Hear what the answer says about how much more may be asked."""
    if (used := provider.used(response)) is not None:
        yield Consult(partial(ration.told, used), wait=False)
    if trouble is not None and trouble.mine and trouble.hold:
        yield Consult(partial(ration.hold, trouble.hold))


def paid(ration: Ration, weight: int, deadline: float) -> Generator[Effect, Any, None]:
    """Wait for `weight` of the ration, in order of arrival; raises RateLimited."""
    turn = turns.take(ration)
    try:
        if not turn.done() and not (yield Await(turn, deadline)):
            raise RateLimited("The budget is spent", retry_after=1.0)
        while not ration.spend(weight):
            wait = yield Consult(partial(ration.lease, weight))
            if not wait:
                return
            if monotonic() + wait >= deadline:
                raise RateLimited("The budget is spent", retry_after=wait)
            yield Pause(min(wait, LONGEST_PAUSE))
    finally:
        turns.give(ration, turn)


def _after_fork() -> None:
    # A thread of the parent may have held a lock or a turn; it does not live here.
    turns.__init__()  # type: ignore[misc]
    nonces.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_after_fork)
