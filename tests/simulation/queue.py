"""Messages that are lost, doubled and delivered again; beats, and the sweeper."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .runs import Worker
from .stage import START, Process
from .story import Occurrence

EVERY = 15.0  # seconds
AGAIN = (1.3, 300.0)  # seconds until a message of the dead is delivered again
LOST, DOUBLED = 0.15, 0.3


class Queue:
    """What brings workers to rows. Every message may be lost: the rows are the record."""

    sweeps = True

    def __init__(self, world: Any) -> None:
        self.world, self.stage = world, world.stage
        self.tasks = 0
        self.swept = 0.0

    # -- messages

    def publish(self, task: str, what: object) -> None:
        """Send a message: none, one or two may come of it."""
        draw = self.stage.draw
        self.tasks += 1
        message = task, what, self.tasks
        if self.world.calm:
            self.deliver(message, 0.01)
            return
        if draw() >= LOST * self.rough:
            self.deliver(message, 0.01 + draw() * 2)
        if draw() < DOUBLED * self.rough:
            self.tasks += 1
            self.deliver((task, what, self.tasks), 0.01 + draw() * 10)

    @property
    def rough(self) -> bool:
        return self.stage.weather.faults > 0

    def deliver(self, message: tuple[str, object, int], seconds: float) -> None:
        self.stage.after(seconds, lambda: self.begin(message))

    def begin(self, message: tuple[str, object, int]) -> None:
        process = Process(self, message)
        task, what, _ = message
        process.steps = getattr(self.worker(process), task)(what)
        self.stage.note("begins", message)
        self.stage.go_on(process)

    def worker(self, process: Process) -> Any:
        """Return who carries out the message of `process`."""
        return Worker(self.world, process)

    def died(self, process: Process) -> None:
        """Let go of what a dead worker held; its message may be delivered again."""
        self.unlock(process)
        self.slept(process)
        if process.message[0] != "dispatch" and self.stage.draw() < 0.5:
            self.deliver(process.message, self.stage.chance.choice(AGAIN))

    def unlock(self, process: Process) -> None:
        self.world.rows.unlock(process)

    def slept(self, process: Process) -> None:
        for bank in process.renews:
            bank.spoiled = True

    # -- what is due

    def tick(self, occurrence: Occurrence) -> None:
        """Let beats look at an occurrence that is due."""
        if not occurrence.started:
            for _ in range(occurrence.beats):
                self.tasks += 1
                self.deliver(("dispatch", occurrence, self.tasks), self.stage.draw())

    def next_look(self) -> float | None:
        """Return when the sweeper, or a beat, next finds something, in seconds."""
        due = self.due_at()
        if due is None:
            return None
        late = max((due - START).total_seconds(), self.swept + EVERY)
        return -(-late // EVERY) * EVERY

    def due_at(self) -> datetime | None:
        rows, moments = self.world.rows, []
        for run in rows.runs.values() if self.sweeps else ():
            if (at := rows.free_at(run)) is not None:
                moments.append(at)
        for row in rows.transfers.values() if self.sweeps else ():
            if row.settled_at is not None or (row.needs_person and self.world.calm):
                continue
            if (at := rows.look_at(row)) is not None:
                moments.append(at)
        moments += [o.at for o in self.world.story.occurrences if not o.started]
        return min(moments, default=None)

    def sweep(self) -> None:
        """Queue what messages forgot."""
        self.swept = self.stage.seconds
        for occurrence in self.world.story.occurrences:
            if occurrence.at <= self.stage.now:
                self.tick(occurrence)
        if not self.sweeps:
            return
        for run in self.world.rows.due_runs():
            self.publish("execute_run", run)
        for pk in self.world.rows.due_transfers():
            self.publish("reread", pk)
