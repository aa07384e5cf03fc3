"""One run, three workers and a person who changes their mind, on a fake clock."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from automation import machine
from automation.machine import RunCommand, RunState
from automation.machine import events as e
from automation.machine import run as r

START = datetime(2026, 1, 25, 9, tzinfo=UTC)
WORKERS = range(3)
PAUSES = (1, 20, 46, 61, 300, 901, 3600, 7201)
AMOUNTS = (98, 100, 102, 105)
ENDS = ("done", "refused", "unknown", "person")
OUTCOMES = ("planned", "planned", "nothing_to_do", "skipped_stale", "skipped_funds")
LIKELY = {
    "claim": 25,
    "plan": 20,
    "wait": 20,
    "drive": 15,
    "approve": 8,
    "renew": 3,
    "give_back": 2,
    "kill": 3,
    "cancel": 2,
    "resume": 2,
    "turn_out": 2,
    "nudge": 4,
}
FINAL = frozenset(r.Status) - r.UNFINISHED - r.ENDED_BADLY - {r.Status.QUARANTINED}


@dataclass
class Worker:
    """Holds what it last saw of the row, and what it was commanded to do."""

    seen: RunState
    command: RunCommand


@dataclass
class Seen:
    """A plan as a person saw it."""

    moves: r.Moves
    at: datetime


def moves(amount: int, count: int = 2) -> r.Moves:
    return tuple(r.Move("main", f"pot {n}", amount) for n in range(count))


class World:
    """What can happen, each as one method; it raises AssertionError at what must not."""

    def __init__(self, terms: r.Terms) -> None:
        self.now, self.terms = START, terms
        self.row = RunState(deadline=START + timedelta(hours=2), terms=terms)
        self.workers: dict[int, Worker] = {}
        self.steps: list[r.Step] = []
        self.executions = 0
        self.approved: Seen | None = None
        self.announced: Seen | None = None
        self.cancelled = False
        self.resumed = False

    # -- what happens

    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def kill(self, worker: int) -> None:
        self.workers.pop(worker, None)

    def claim(self, worker: int, *, held: bool = False) -> None:
        if worker in self.workers:
            return
        told = r.Claim("All moves are paused" if held else "")
        asked = self.row.status == r.Status.AWAITING_APPROVAL
        unsaid = asked and self.row.approved_at is None
        commands = self.apply(self.row, told)
        assert not (unsaid and commands), "taken before anybody said yes"
        if held and self.row.status in r.BEFORE:
            assert RunCommand.PLAN not in commands, "planned during a pause"
        for command in (RunCommand.PLAN, RunCommand.DRIVE):
            if command in commands:
                self.workers[worker] = Worker(self.row, command)

    def see_ahead(self, amount: int) -> None:
        """Let a person ask for a plan that they saw, before anybody took the run."""
        if self.row != RunState(deadline=self.row.deadline, terms=self.row.terms):
            return
        self.row = replace(self.row, moves=moves(amount), approved_at=self.now)
        self.approved = Seen(self.row.moves, self.now)

    def plan(self, worker: int, outcome: str, amount: int, **more: Any) -> None:
        """Let a worker that was told to plan come to a decision."""
        held = self.workers.get(worker)
        if held is None or held.command != RunCommand.PLAN:
            return
        del self.workers[worker]
        decided = moves(amount) if outcome == "planned" else ()
        event = r.Planned(outcome, "why", moves=decided, change="else", **more)
        before = self.row
        commands = self.apply(held.seen, event)
        if RunCommand.DRIVE in commands:
            self.commit(before, event)
            self.workers[worker] = Worker(self.row, RunCommand.DRIVE)

    def commit(self, before: RunState, event: r.Planned) -> None:
        """Write the transfers; all that a person wanted must hold by now."""
        self.executions += 1
        self.steps = [r.Step("pending") for _ in self.row.moves]
        terms, plan = self.terms, self.row.moves
        assert not event.dry, "moved in a dry run"
        assert not self.cancelled, "moved after a cancel"
        assert event.outcome == "planned", "moved without a plan"
        assert self.now <= before.too_late, "moved too late"
        assert len(plan) == len(event.moves)
        for move, now in zip(plan, event.moves, strict=True):
            assert move.amount <= now.amount, "moved more than there is"
        if terms.approval or event.ask:
            assert self.approved, "moved without approval"
        if seen := self.approved or (self.announced if terms.notice else None):
            for move, old in zip(plan, seen.moves, strict=True):
                assert move.amount <= old.amount, "moved more than was seen"
                assert old.amount - move.amount <= terms.tolerance, "another plan"
            assert self.now - seen.at <= terms.shelf_life * 2 + terms.notice, "stale"
        elif terms.notice:
            raise AssertionError("moved without notice")
        if self.announced and not self.approved:
            waited = self.now - self.announced.at
            assert waited >= terms.notice, "moved before its notice was over"

    def approve(self) -> None:
        before = self.row
        self.apply(before, r.Approve())
        if self.row.approved_at and not before.approved_at:
            assert before.status == r.Status.AWAITING_APPROVAL
            self.approved = Seen(before.moves, self.now)

    def cancel(self) -> None:
        """Give up what is pending, then say so; as the service does under a lock."""
        if self.row.status in (*r.UNFINISHED, r.Status.QUARANTINED):
            self.steps = [
                replace(s, status="expired", cancelled=True)
                if s.status == "pending"
                else s
                for s in self.steps
            ]
            self.cancelled = True
            self.apply(self.row, r.Cancel("Cancelled", self.steps))
            none_sent = all(s.status == "expired" for s in self.steps)
            assert not none_sent or self.row.status == r.Status.CANCELLED

    def resume(self) -> None:
        ready = [
            r.Step("pending")
            if s.status in ("refused", "expired") and not s.cancelled
            else s
            for s in self.steps
        ]
        before, self.resumed = self.row, True
        self.apply(before, r.Resume(ready))
        if self.row is not before:
            self.steps = ready
            self.cancelled = False

    def drive(self, worker: int, which: int, end: str, *, more: bool = False) -> None:
        """Let a worker that was told to drive take one transfer to some end."""
        held = self.workers.get(worker)
        if held is None or held.command != RunCommand.DRIVE:
            return
        self.settle(which, end)
        del self.workers[worker]
        self.apply(held.seen, r.Progress(list(self.steps), more))

    def settle(self, which: int, end: str) -> None:
        if not self.steps:
            return
        step = self.steps[which % len(self.steps)]
        if step.status in e.SETTLED:
            return
        if end == "person":
            step = replace(step, status="unknown", needs_person=True)
        else:
            step = replace(step, status=end, needs_person=False)
        self.steps[which % len(self.steps)] = step

    def turn_out(self, which: int) -> None:
        """Let a transfer that waited for a person be found done."""
        if any(step.needs_person for step in self.steps):
            self.settle(which, "done")
            self.apply(self.row, r.Progress(list(self.steps)))

    def nudge(self) -> None:
        """Let somebody wake it who need not know what it waits for."""
        if not self.row.finished and self.row.lease_until is None:
            self.row = replace(self.row, next_attempt_at=self.now)

    def renew(self, worker: int) -> None:
        if held := self.workers.get(worker):
            before = version(self.row)
            self.apply(held.seen, r.Renew())
            if before == version(held.seen):
                held.seen = self.row

    def give_back(self, worker: int) -> None:
        """Let a worker that has not begun find no time to."""
        held = self.workers.get(worker)
        if held and held.command == RunCommand.PLAN:
            del self.workers[worker]
            before = self.row
            self.apply(held.seen, r.GiveBack())
            if version(held.seen) == version(before):
                assert self.row.lease_until is None, "nobody has it, and it is held"

    # -- how it is kept

    def apply(self, seen: RunState, event: r.RunEvent) -> tuple[RunCommand, ...]:
        """Save by compare-and-set, as the services do."""
        after, commands = machine.step(seen, event, self.now)
        if version(seen) != version(self.row):
            return ()
        self.watch(self.row, after, event)
        self.row = replace(after, terms=self.terms)  # those of the rule, at any time
        if RunCommand.TELL in commands:
            self.tell()
        return commands

    def tell(self) -> None:
        shown = Seen(self.row.moves, self.now)
        self.approved = None
        if self.row.status == r.Status.NOTIFIED:
            late = self.now > self.row.deadline + self.terms.notice
            assert not (self.announced and late), "announced for ever"
            self.announced = shown
        else:
            assert self.row.status == r.Status.AWAITING_APPROVAL
            self.announced = None

    def watch(self, before: RunState, after: RunState, event: r.RunEvent) -> None:
        """Raise AssertionError where a state must not follow another."""
        changed = before.status != after.status
        assert not (changed and before.status in FINAL), "out of a final state"
        assert not (changed and before.status.startswith("skipped_"))
        if changed and before.status in r.ENDED_BADLY | {r.Status.QUARANTINED}:
            by = (r.Resume, r.Cancel, r.Progress)
            assert isinstance(event, by), "went on by itself"
        if before.status not in r.BEFORE:
            new = after.status in r.BEFORE
            assert not new or not self.executions, "planned again"
        assert after.finished == (after.finished_at is not None)
        if after.finished:
            assert after.lease_until is None
            assert after.next_attempt_at is None
        elif after.status in (r.Status.NOTIFIED, r.Status.AWAITING_APPROVAL):
            assert after.next_attempt_at, "nobody would look again"

    def check(self) -> None:
        assert self.executions <= 1, "executed twice"
        done = [s.status for s in self.steps]
        if self.row.status == r.Status.SUCCEEDED:
            assert set(done) == {"done"}, "a success that is none"
        if self.row.status == r.Status.CANCELLED:
            assert "done" not in done, "cancelled, but it moved"
            assert not any(s.needs_person for s in self.steps), "cancelled, but unclear"
        if self.row.status in r.BEFORE:
            assert not self.steps, "transfers without a plan"

    def settle_down(self) -> None:
        """Let all faults end: the run ends, or says whom it waits for."""
        self.workers.clear()
        for _ in range(40):
            self.wait(901)
            self.claim(0)
            self.plan(0, "planned", 100)
            for which in range(len(self.steps)):
                self.settle(which, "done")
            self.drive(0, 0, "done")
            self.workers.clear()
            self.check()
        row = self.row
        assert row.finished, f"forgotten in {row.status}"
        assert row.reason, "ended without a reason"


def version(state: RunState) -> tuple[Any, ...]:
    return (
        state.status,
        state.attempts,
        state.lease_until,
        state.approved_at,
        state.notice_until,
    )


def terms(chance: random.Random) -> r.Terms:
    return r.Terms(
        approval=chance.random() < 0.4,
        notice=timedelta(seconds=chance.choice((0, 0, 600))),
        tolerance=chance.choice((0, 2, 5)),
        shelf_life=timedelta(hours=chance.choice((1, 6))),
    )


def simulate(seed: int, steps: int = 30) -> World:
    """Play one random story to its end; raises AssertionError, and is the same again."""
    chance = random.Random(seed)
    world = World(terms(chance))
    if chance.random() < 0.2:
        world.see_ahead(chance.choice(AMOUNTS))
    for _ in range(steps):
        happen(world, chance)
        world.check()
    world.settle_down()
    return world


def happen(world: World, chance: random.Random) -> None:
    """Let one thing happen, the likely more often than the rare."""
    worker = chance.choice(WORKERS)
    (what,) = chance.choices(list(LIKELY), list(LIKELY.values()))
    told: dict[str, Any] = {
        "claim": lambda: {"worker": worker, "held": chance.random() < 0.1},
        "plan": lambda: {"worker": worker, **decision(chance)},
        "drive": lambda: {
            "worker": worker,
            "which": chance.randrange(2),
            "end": chance.choice(ENDS),
        },
        "wait": lambda: {"seconds": chance.choice(PAUSES)},
        "turn_out": lambda: {"which": chance.randrange(2)},
        "renew": lambda: {"worker": worker},
        "give_back": lambda: {"worker": worker},
        "kill": lambda: {"worker": worker},
    }
    getattr(world, what)(**told.get(what, dict)())


def decision(chance: random.Random) -> dict[str, Any]:
    return {
        "outcome": chance.choice(OUTCOMES),
        "amount": chance.choice(AMOUNTS),
        "retry": chance.random() < 0.5,
        "ask": chance.random() < 0.1,
        "dry": chance.random() < 0.05,
    }
