"""A clock and the processes on it: any may die or fall asleep between two steps."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any, Protocol

START = datetime(2026, 1, 25, 9, tzinfo=UTC)
PAUSES = (0.5, 4, 7, 20, 50, 100, 400, 2000)  # seconds
ON_THE_WIRE = (0.5, 4, 20, 100)  # a request that is written is not held up for longer
Steps = Generator[float, None, object]


@dataclass(frozen=True, slots=True)
class Weather:
    """How often something goes wrong, as chances per step or request."""

    crash: float = 0.0
    pause: float = 0.0
    faults: float = 0.0


class Owner(Protocol):
    """Who is told what becomes of a process."""

    def died(self, process: Process) -> None: ...

    def slept(self, process: Process) -> None: ...


class Process:
    """One worker on one message; each value it yields is how long the step takes."""

    __slots__ = (
        *("asks", "heard", "message", "on_the_wire", "owner", "renews", "steps"),
        "would_renew",
    )

    def __init__(self, owner: Owner, message: tuple[str, object, int]) -> None:
        self.owner = owner
        self.message = message  # task, argument, id of the task
        self.steps: Steps = iter(())  # type: ignore[assignment]
        self.on_the_wire = False
        self.renews: list[Any] = []  # banks whose token it renews right now
        # Where it asks several banks at once: how many, how many of those calls wait to
        # renew a token, and when the one whose turn it is was answered.
        self.asks, self.would_renew = 1, 0
        self.heard: float | None = None


class Stage:
    """Lets processes and requests take turns, in the order of a clock of its own."""

    def __init__(
        self, chance: random.Random, weather: Weather, *, trace: bool = False
    ) -> None:
        self.chance, self.weather = chance, weather
        self.draw = chance.random
        self.now = START
        self.seconds = 0.0  # since START
        self.queue: list[tuple[float, int, Process | Callable[[], None]]] = []
        self.steps = 0
        self.count = 0
        self.trace: list[tuple[object, ...]] | None = [] if trace else None

    def note(self, *words: object) -> None:
        """Add a line to the trace, where one is wanted."""
        if self.trace is not None:
            self.trace.append((round(self.seconds, 3), *words))

    def after(self, seconds: float, what: Process | Callable[[], None]) -> None:
        """Let `what` have its turn `seconds` from now."""
        self.count += 1
        heappush(self.queue, (self.seconds + seconds, self.count, what))

    def next_at(self) -> float | None:
        """Return when the next turn is, in seconds since the start."""
        return self.queue[0][0] if self.queue else None

    def wait_until(self, seconds: float) -> None:
        """Let time pass."""
        if seconds > self.seconds:
            self.seconds = seconds
            self.now = START + timedelta(seconds=seconds)

    def turn(self) -> None:
        """Give whoever is next a turn, its death, or sleep."""
        self.steps += 1
        at, _, what = heappop(self.queue)
        self.wait_until(at)
        if not isinstance(what, Process):
            what()
            return
        fate = self.draw()
        if fate < self.weather.crash:
            self.kill(what)
        elif fate < self.weather.crash + self.weather.pause:
            long = self.chance.choice(ON_THE_WIRE if what.on_the_wire else PAUSES)
            self.note("sleeps", what.message, long)
            what.owner.slept(what)
            self.after(long, what)
        else:
            self.go_on(what)

    def go_on(self, process: Process) -> None:
        try:
            self.after(next(process.steps), process)
        except StopIteration:
            self.note("ends", process.message)

    def kill(self, process: Process) -> None:
        self.note("dies", process.message)
        process.owner.died(process)
        process.steps.close()
