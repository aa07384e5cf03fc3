"""Carries out runs of several worlds at once as `together` does: the same commits."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from automation import machine
from automation.machine import RunCommand
from automation.machine import run as events
from automation.services.driving import TURN, iter_open
from automation.services.rows import run_state, run_step
from automation.services.together import PATIENCE, begins

from .database import Busy
from .network import TICK
from .runs import Worker, held_back
from .stage import Process

Steps = Generator[float, None, Any]
PLAN = (RunCommand.PLAN,)
CLOSE = 2.0  # seconds within which answers are heard together


@dataclass(eq=False, slots=True)
class Turn:
    """A run, and who carries it out in its own world."""

    place: int
    worker: Worker
    run: Any
    commands: Sequence[RunCommand] = ()
    steps: list[Any] = field(default_factory=list)

    @property
    def world(self) -> Any:
        return self.worker.world


@dataclass(eq=False, slots=True)
class Part:
    """Steps that go on beside others of the same process, and what came of them."""

    steps: Steps
    whose: Any
    due: float = 0.0
    on_the_wire: bool = False
    over: bool = False
    result: Any = None


class Abreast:
    """One task for runs of several worlds: they share a process, and its fate."""

    def __init__(self, street: Any, process: Process) -> None:
        self.street, self.process, self.stage = street, process, street.stage
        self.workers = [Worker(world, process) for world in street.worlds]

    # -- tasks

    def dispatch(self, _: object) -> Steps:
        """Start the runs of all that is due, and queue them together."""
        yield TICK
        started = []
        for place, world in enumerate(self.street.worlds):
            for due in world.story.occurrences:
                if due.started or due.at > self.stage.now:
                    continue
                rule = world.rows.rules[due.rule]
                pk = world.rows.create_run(rule, due.key, due.kind, due.at)
                due.started = True
                started.append((place, pk))
        yield TICK
        self.street.queue.publish_runs(started)

    def execute_runs(self, named: Iterable[tuple[int, str]]) -> Steps:
        """Carry out runs as far as they go together; the rest goes on alone."""
        ends = self.stage.now + timedelta(seconds=TURN)
        yield TICK
        turns = [self.load(*each) for each in dict.fromkeys(named)]
        ready = yield from self.claim(turns)
        while ready and self.stage.now < ends:
            yield from self.read(ready)
        for turn in ready:
            yield from turn.worker.apply(turn.run, events.GiveBack())
        yield from self.tell(ready, ())

    def load(self, place: int, pk: str) -> Turn:
        worker = self.workers[place]
        return Turn(place, worker, worker.world.rows.load(pk))

    # -- runs

    def claim(self, turns: Sequence[Turn]) -> Steps:
        """Take those that may begin now, all in one statement; return what was taken."""
        taken: dict[int, tuple[Turn, machine.RunState]] = {}
        for turn in turns:
            if turn.place not in taken and (after := self.claimed(turn)) is not None:
                taken[turn.place] = turn, after
        yield TICK
        ready = [
            turn
            for turn, after in taken.values()
            if turn.world.rows.save_run(turn.run, after)
        ]
        begun = {turn for turn, _ in taken.values()}
        others = [turn for turn in turns if turn not in begun]
        done = [turn for turn in others if turn.run.finished_at is not None]
        for turn in list(ready):
            if why := held_back(turn.run, turn.world):
                yield from turn.worker.apply(turn.run, why)
                ready.remove(turn)
                done.append(turn)
        yield from self.tell([t for t in others if t.run.finished_at is None], done)
        return ready

    def claimed(self, turn: Turn) -> machine.RunState | None:
        """Return what a run becomes that begins, and shares nothing."""
        run = turn.run
        run.depends = run.strange = False
        run.behind = bool(turn.world.rows.waits_for(run))
        if not begins(run):
            return None
        after, commands = machine.step(run_state(run), events.Claim(), self.stage.now)
        return after if tuple(commands) == PLAN else None

    def read(self, ready: list[Turn]) -> Steps:
        """Ask all banks at once, and carry out runs as soon as theirs has answered."""
        parts = [Part(turn.worker.sync(), turn) for turn in ready]
        while parts:
            heard = [part.whose for part in (yield from self.first(parts))]
            for turn in heard:
                ready.remove(turn)
            begun = self.stage.seconds
            yield from self.carry_out(heard)
            if self.stage.seconds > begun + PATIENCE:
                return  # what was read meanwhile is old by now

    def carry_out(self, turns: Sequence[Turn]) -> Steps:
        yield from self.write_plans(turns)
        yield from self.send_all(turns)
        alone = []
        for turn in turns:
            if RunCommand.DRIVE in turn.commands and (yield from self.rest(turn)):
                alone.append(turn)
        yield from self.tell(alone, turns)

    def write_plans(self, turns: Sequence[Turn]) -> Steps:
        """Decide and write for all in one transaction; one by one if one is not free."""
        drafts: list[Any] = []
        worlds = [turn.world for turn in turns]
        while True:
            yield from self.lock(worlds)
            drafts = [turn.worker.draft(turn.run, at_once=True) for turn in turns]
            yield TICK
            if self.unlock(worlds):
                break
        try:
            for turn, drafted in zip(turns, drafts, strict=True):
                turn.worker.admit(turn.run, drafted)
        except Busy:  # nothing of it was written
            yield from self.write_one_by_one(turns)
            return
        self.stage.note("planned together", len(turns))
        for turn, drafted in zip(turns, drafts, strict=True):
            turn.commands, turn.steps = turn.worker.keep(turn.run, drafted)

    def write_one_by_one(self, turns: Sequence[Turn]) -> Steps:
        for turn in turns:
            turn.commands, turn.steps = yield from turn.worker.commit_plan(turn.run)

    def lock(self, worlds: Sequence[Any]) -> Steps:
        """Lock the connections of `worlds`, in the order that all keep to."""
        for world in sorted(worlds, key=self.street.worlds.index):
            yield from world.rows.lock(self.process)

    def unlock(self, worlds: Iterable[Any]) -> bool:
        """End a transaction; False if it was ended meanwhile, with nothing written."""
        return all([world.rows.unlock(self.process) for world in worlds])

    def send_all(self, turns: Sequence[Turn]) -> Steps:
        """Send what was claimed with its plan, all at once."""
        parts = []
        for turn in turns:
            if turn.steps and turn.steps[0].begun:
                row, sends = turn.steps[0], turn.world.parts.drive
                row.begun = False
                drive = sends(turn.worker, turn.run, row, turn.steps)
                parts.append(Part(drive.send(), drive))
        while parts:
            heard = yield from self.first(parts)
            yield from self.settle([(part.whose, part.result) for part in heard])

    def settle(self, heard: Sequence[tuple[Any, machine.Event]]) -> Steps:
        """Write in one statement what ends runs with success; the rest by itself."""
        ends, over = [], set()
        for drive, event in heard:
            state = drive.world.rows.transfer_state(drive.row, drive.part)
            after, commands = machine.step(state, event, self.stage.now)
            if ended := drive.success(after, commands):
                ends.append((drive, after, commands, ended))
                over.add(drive)
        if ends:
            yield from self.end_all(ends)
        for drive, event in heard:
            if drive not in over:
                yield from drive.go_on(event)
                if drive.added is not None:
                    drive.steps.append(drive.added)

    def end_all(self, ends: Sequence[tuple[Any, Any, Any, Any]]) -> Steps:
        worlds = [drive.world for drive, *_ in ends]
        while True:
            yield from self.lock(worlds)
            yield TICK
            if self.unlock(worlds):
                break
        self.stage.note("ended together", len(ends))
        for drive, *written in ends:
            drive.write(*written)

    def rest(self, turn: Turn) -> Steps:
        """Say how a run ended, or when it is looked at again; return whether now."""
        steps = turn.steps
        tried = steps[0].status != "pending" or steps[0].attempts > 0
        stuck = tried and run_step(steps[0], steps).open
        more = not stuck and any(True for _ in iter_open(steps))
        yield from turn.worker.conclude(turn.run, steps, more=more)
        return more

    # -- what follows

    def tell(self, alone: Iterable[Turn], done: Iterable[Turn]) -> Steps:
        """Queue what goes on alone, and then, one by one, whom those that rest wake."""
        yield TICK
        for turn in alone:
            turn.world.queue.publish("execute_run", turn.run.pk)
        for turn in done:
            yield TICK
            found = turn.world.rows.wake(turn.run)
            self.street.queue.publish_runs([(turn.place, pk) for pk in found])

    # -- at the same time

    def first(self, parts: list[Part]) -> Steps:
        """Let `parts` go on, and take out those that end first, close to each other.

        Nothing else is done while a token is being renewed, as in `accounts`' syncs.
        """
        self.process.asks = len(parts)
        ends: float | None = None
        while True:
            for part in parts:
                if not part.over and part.due <= self.stage.seconds + 1e-6:
                    self.go_on(part, parts)
            over = [part for part in parts if part.over]
            going = [part for part in parts if not part.over]
            if over and ends is None:
                ends = self.stage.seconds + CLOSE * self.stage.draw()
            late = ends is not None and self.stage.seconds >= ends - 1e-6
            if not going or (late and not self.process.renews):
                parts[:] = going
                self.process.asks = 1
                return over
            soonest = min(part.due for part in going)
            at = soonest if ends is None or late else min(soonest, ends)
            yield max(0.0, at - self.stage.seconds)

    def go_on(self, part: Part, parts: Iterable[Part]) -> None:
        self.process.on_the_wire, self.process.heard = part.on_the_wire, part.due
        try:
            part.due = self.stage.seconds + next(part.steps)
        except StopIteration as end:
            part.over, part.result = True, end.value
        self.process.heard = None
        part.on_the_wire = self.process.on_the_wire and not part.over
        self.process.on_the_wire = any(each.on_the_wire for each in parts)
