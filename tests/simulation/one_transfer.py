"""One transfer, three workers and a faulty bank on a fake clock; no database."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from automation import machine
from automation.machine import Command, Evidence, TransferState
from automation.machine import events as e
from automation.machine.transfer import LEASE, LONGEST

START = datetime(2026, 1, 25, 9, tzinfo=UTC)
HORIZON = timedelta(hours=1)
AMOUNT = 500
ENOUGH = 2000
WORKERS = range(3)
PAUSES = (1, 5, 20, 50, 70, 300, 1900)
CHANGES = (-1900, -400, 400, 1900)
WRONG = (-120, -60, 0, 60, 120)  # minutes by which our clock may be ahead
SWEEPER = 99
FAULTS = range(8)
LATE = 2
NONE = 7


@dataclass
class Bank:
    """Remembers a dedupe id for HORIZON and then forgets; may act late."""

    shows_ids: bool = True
    balance: int = ENOUGH
    moves: list[datetime] = field(default_factory=list)
    late: list[datetime] = field(default_factory=list)

    def catch_up(self, now: datetime) -> None:
        due = [moment for moment in self.late if moment <= now]
        self.late = [moment for moment in self.late if moment > now]
        for moment in due:
            self.apply(moment)

    def apply(self, now: datetime) -> bool:
        """Move the money unless that was done; False if there is too little."""
        if any(now - moment < HORIZON for moment in self.moves):
            return True
        if self.balance < AMOUNT:
            return False
        self.balance -= AMOUNT
        self.moves.append(now)
        return True


@dataclass
class Worker:
    """Holds what it last saw of the row, and what it was commanded to do."""

    seen: TransferState
    command: Command


class World:
    """What can happen, each as one method; `check` says what must always hold."""

    def __init__(
        self, *, shows_ids: bool = True, fate: Callable[[], int] = lambda: NONE
    ) -> None:
        self.fate = fate  # what befalls the sweeper's worker
        self.now, self.bank = START, Bank(shows_ids)
        self.ahead = timedelta(0)
        self.row = TransferState(AMOUNT, "GBP/2", HORIZON, expires_at=START + HORIZON)
        self.workers: dict[int, Worker] = {}

    @property
    def ours(self) -> datetime:
        """Return what our clock shows; `now` is the bank's."""
        return self.now + self.ahead

    def wait(self, seconds: int) -> None:
        self.put_right()
        self.now += timedelta(seconds=seconds)
        self.bank.catch_up(self.now)

    def step_to(self, minutes: int) -> None:
        """Let our clock be ahead by so many minutes; nobody sleeps over it.

        What was left behind by then was looked at, and steps are an hour at least: for
        what neither shows, the provider's memory is trusted for half of its time only.
        """
        self.workers.clear()
        if self.row.status == e.Status.SENDING:
            self.wait(LEASE.seconds)
        self.look()
        self.ahead = timedelta(minutes=minutes)

    def look(self) -> None:
        """Let a worker take the row up, if it is due, and do all that follows."""
        self.offer(SWEEPER, e.Claim())
        while SWEEPER in self.workers:
            self.go_on(SWEEPER, self.fate(), 60)

    def put_right(self) -> None:
        """Let the sweeper make due what waits for longer than anything does."""
        row, at = self.row, self.row.next_attempt_at
        if at is None or row.settled or not strayed(row, at, self.ours):
            return
        held = row.status == e.Status.SENDING
        pause = LEASE if held else timedelta(0)
        self.row = replace(row, next_attempt_at=self.ours + pause)
        self.now += pause
        self.look()

    def pay(self, change: int) -> None:
        self.bank.balance = max(0, self.bank.balance + change)

    def kill(self, worker: int) -> None:
        self.workers.pop(worker, None)

    def offer(self, worker: int, event: e.Event) -> None:
        """Let an idle worker claim the row, or let it expire."""
        if worker not in self.workers:
            self.apply(worker, self.row, event)

    def go_on(self, worker: int, fault: int, delay: int) -> None:
        """Let a busy worker do what it was commanded to do."""
        if held := self.workers.pop(worker, None):
            does = {
                Command.ASK: self.ask,
                Command.CHECK: self.afford,
                Command.SEND: self.send,
            }
            self.apply(worker, held.seen, does[held.command](held.seen, fault, delay))

    def apply(self, worker: int, seen: TransferState, event: e.Event) -> None:
        """Save by compare-and-set, as the services do."""
        if version(seen) != version(self.row):
            return
        self.row, commands = machine.step(seen, event, self.ours)
        todo = [c for c in commands if c in (Command.ASK, Command.CHECK, Command.SEND)]
        if todo:
            self.workers[worker] = Worker(self.row, todo[0])

    # -- the bank, asked

    def afford(self, seen: TransferState, fault: int, delay: int) -> e.Event:
        if fault == 0:
            return e.Unreadable("stale_balance")
        if self.bank.balance < AMOUNT:
            return e.Unaffordable("insufficient_funds")
        return e.Affordable()

    def ask(self, seen: TransferState, fault: int, delay: int) -> e.Event:
        if fault == 0:
            return e.AskFailed("unavailable")
        if self.bank.shows_ids and self.bank.moves:
            return e.Found(Evidence("ref", AMOUNT, "GBP/2"))
        return e.NotFound()

    def send(self, seen: TransferState, fault: int, delay: int) -> e.Event:
        if seen.next_attempt_at is None or self.ours >= seen.next_attempt_at:
            return e.NotSent("too_late")
        if fault == 0:
            return e.NotSent("unavailable")
        if fault == 1:
            return e.Lost("outcome_unknown")
        if fault == LATE:
            self.bank.late.append(self.now + timedelta(seconds=delay))
            return e.Lost("outcome_unknown")
        done = self.bank.apply(self.now)
        if fault == 3:
            return e.Lost("outcome_unknown")
        if not done:
            return e.Refused("insufficient_funds")
        return e.Answered(Evidence("ref", balance_agrees=fault != 4))

    # -- what must hold

    def check(self) -> None:
        """Raise AssertionError if money moved twice, or the row tells a lie."""
        row, bank = self.row, self.bank
        assert len(bank.moves) <= 1, "moved twice"
        if row.status == e.Status.DONE:
            assert bank.moves, "done, but nothing moved"
        if row.status in (e.Status.REFUSED, e.Status.EXPIRED, e.Status.PENDING):
            assert not bank.moves, f"{row.status}, but it moved"
            assert not bank.late, f"{row.status}, but it will move"
        if bank.moves:
            assert row.first_sent_at, "moved without a committed moment"

    def settle(self) -> None:
        """Let the faults end: it settles by itself, or a person is called."""
        self.workers.clear()
        self.bank.balance += 10 * AMOUNT
        for _ in range(60):
            self.wait(150)  # longer than any request is late
            self.offer(0, e.Claim())
            while 0 in self.workers:
                self.go_on(0, NONE, 0)
            self.check()
            if self.row.settled or self.row.needs_person:
                break
        assert self.row.settled or self.row.needs_person, "forgotten"


def strayed(row: TransferState, at: datetime, ours: datetime) -> bool:
    """Say whether `row` waits for longer than it may, as the sweeper asks the rows."""
    first, status = row.first_sent_at, row.status
    if status == e.Status.SENDING:
        return at > ours + LEASE + e.SKEW
    future = first is not None and first > ours + e.SKEW
    unclear = status == e.Status.UNKNOWN and not row.needs_person and future
    return at > (ours if unclear else ours + LONGEST + e.SKEW)


def version(state: TransferState) -> tuple[str, int, datetime | None]:
    return state.status, state.attempts, state.sent_at


def simulate(seed: int, faults: Sequence[int] = FAULTS, steps: int = 40) -> World:
    """Play one random story to its end; raises AssertionError, and is the same again."""
    chance = random.Random(seed)
    world = World(shows_ids=chance.random() < 0.5, fate=lambda: chance.choice(faults))
    for _ in range(steps):
        what, worker = chance.random(), chance.choice(WORKERS)
        if what < 0.45:
            world.go_on(worker, chance.choice(faults), chance.randint(1, 120))
        elif what < 0.65:
            world.offer(worker, e.Claim())
        elif what < 0.85:
            world.wait(chance.choice(PAUSES))
        elif what < 0.95:
            world.pay(chance.choice(CHANGES))
        elif what < 0.97:
            world.kill(worker)
        elif what < 0.985:
            world.offer(worker, e.Expire())
        else:
            world.step_to(chance.choice(WRONG))
        world.check()
    world.settle()
    return world
