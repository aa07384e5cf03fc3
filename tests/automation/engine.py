"""A move between two pots, four workers, one owner and a bank that may do anything.

The real machine and the real recovery over a fake clock; no database. Each method is
something that can happen; `check` says what must hold after any of them.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from automation import machine
from automation.machine import Command, Evidence, Part, TransferState
from automation.machine import events as e
from automation.machine.recovery import Entry, Wanted, recognise

START = datetime(2026, 1, 25, 9, tzinfo=UTC)
HORIZON = timedelta(hours=1)
AMOUNT, HELD = 500, 2000
FROM, AROUND, TO = "pot-a", "account", "pot-b"
WAYS = {
    Part.FIRST: (FROM, AROUND),
    Part.SECOND: (AROUND, TO),
    Part.BACK: (AROUND, FROM),
}
FINE, GONE, LOST_BEFORE, LOST_AFTER, LATE, NO = range(6)  # what may become of a request
FAULTS = (FINE, GONE, LOST_BEFORE, LOST_AFTER, LATE, NO)
PAUSES = (1, 5, 20, 50, 70, 300, 1900, 4000)
ACTS = (Command.ASK, Command.CHECK, Command.SEND)
NEVER_MOVED = (
    e.Status.PENDING,
    e.Status.REFUSED,
    e.Status.EXPIRED,
    e.Status.STRANDED,
)


@dataclass
class Bank:
    """Moves money once per id for as long as it remembers; requests may come late."""

    names_ids: bool
    held: dict[str, int] = field(
        default_factory=lambda: {FROM: HELD, AROUND: HELD, TO: 0}
    )
    book: list[tuple[Entry, tuple[str, str]]] = field(default_factory=list)
    late: list[tuple[datetime, Part]] = field(default_factory=list)

    def catch_up(self, now: datetime) -> None:
        due = [item for item in self.late if item[0] <= now]
        self.late = [item for item in self.late if item[0] > now]
        for moment, part in due:
            self.move(part, moment)

    def move(self, part: Part, now: datetime) -> bool:
        """Move the money of one call, unless that is done; False if it cannot be."""
        known = [entry for entry in self.of(part) if now - entry.created < HORIZON]
        return bool(known) or self.enter(WAYS[part], now, part)

    def enter(self, way: tuple[str, str], now: datetime, made_by: str = "") -> bool:
        source, target = way
        if self.held[source] < AMOUNT:
            return False
        self.held[source] -= AMOUNT
        self.held[target] += AMOUNT
        name = f"tx_{len(self.book)}"
        self.book.append((Entry(name, AMOUNT, "GBP/2", now, made_by), way))
        return True

    def of(self, part: Part) -> list[Entry]:
        return [entry for entry, _ in self.book if entry.dedupe_id == part]

    def tell(self, part: Part) -> list[Entry]:
        """Return what history shows between the two accounts of a call."""
        told = [entry for entry, way in self.book if way == WAYS[part]]
        return told if self.names_ids else [replace(t, dedupe_id="") for t in told]


class Engine:
    """The rows of one move, and the workers that hold them."""

    def __init__(self, *, names_ids: bool = True) -> None:
        self.now, self.bank = START, Bank(names_ids)
        self.rows = {part: self.row(part) for part in (Part.FIRST, Part.SECOND)}
        self.workers: dict[int, tuple[Part, TransferState, Command]] = {}
        self.by_hand: Counter[tuple[str, str]] = Counter()
        self.happened: Counter[str] = Counter()

    def row(self, part: Part) -> TransferState:
        return TransferState(
            AMOUNT, "GBP/2", HORIZON, part, expires_at=self.now + 6 * HORIZON
        )

    # -- what can happen

    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.bank.catch_up(self.now)

    def owner_moves(self, part: Part) -> None:
        """Let the owner move the same amount the same way by hand."""
        if self.bank.enter(WAYS[part], self.now):
            self.by_hand[WAYS[part]] += 1

    def owner_pays(self, place: str, amount: int) -> None:
        self.bank.held[place] = max(0, self.bank.held[place] + amount)

    def kill(self, worker: int) -> None:
        self.workers.pop(worker, None)

    def drive(self, worker: int) -> None:
        """Let an idle worker take the first row that may go on, as the services do."""
        if worker in self.workers:
            return
        for part in (Part.FIRST, Part.SECOND, Part.BACK):
            row = self.rows.get(part)
            if row is not None and not row.settled:
                return self.apply(worker, part, row, self.first_event(part, row))

    def first_event(self, part: Part, row: TransferState) -> e.Event | None:
        first = self.rows[Part.FIRST]
        if part == Part.SECOND and row.status == e.Status.PENDING:
            if not first.settled:
                return None
            if first.status != e.Status.DONE:
                return e.DependencyFailed()
        late = row.expires_at is not None and row.expires_at <= self.now
        return e.Expire() if late and row.status == e.Status.PENDING else e.Claim()

    def go_on(self, worker: int, fault: int, delay: int = 30) -> None:
        """Let a busy worker do what it was commanded to do."""
        if worker in self.workers:
            part, seen, command = self.workers.pop(worker)
            does = {
                Command.ASK: self.ask,
                Command.CHECK: self.afford,
                Command.SEND: self.send,
            }[command]
            self.apply(worker, part, seen, does(part, seen, fault, delay))

    def resolve(self, part: Part) -> None:
        """Let a person look at the bank's pages and say what is there."""
        row = self.rows.get(part)
        if row is None or any(p == part for _, p in self.bank.late):
            return  # nobody can see what is still on its way
        there = self.bank.of(part)
        told = e.Resolved(bool(there), there[0].reference if there else "")
        self.apply(None, part, row, told)

    # -- the machine

    def apply(
        self, worker: int | None, part: Part, seen: TransferState, event: e.Event | None
    ) -> None:
        """Save by compare-and-set, as the services do."""
        if event is None or version(seen) != version(self.rows[part]):
            return
        row, commands = machine.step(seen, event, self.now)
        self.rows[part] = row
        self.happened[f"{type(event).__name__} → {row.status}"] += 1
        if Command.COMPENSATE in commands:
            self.rows.setdefault(Part.BACK, self.row(Part.BACK))
        if Command.BOOK in commands and part == Part.BACK:
            first = self.rows[Part.FIRST]
            self.rows[Part.FIRST], _ = machine.step(first, e.BroughtBack(), self.now)
        todo = [c for c in commands if c in ACTS]
        if todo and worker is not None:
            self.workers[worker] = (part, row, todo[0])

    def afford(self, part: Part, seen: TransferState, fault: int, _: int) -> e.Event:
        if fault == GONE:
            return e.Unreadable("stale_balance")
        if self.bank.held[WAYS[part][0]] < AMOUNT:
            return e.Unaffordable("insufficient_funds")
        return e.Affordable()

    def ask(self, part: Part, seen: TransferState, fault: int, _: int) -> e.Event:
        if fault == GONE:
            return e.AskFailed("unavailable")
        if fault == LOST_BEFORE:
            return e.NotFound()  # what is shown lags behind what happened
        first = seen.first_sent_at or self.now
        named = self.bank.names_ids and bool(self.bank.book)
        wanted = Wanted(part, AMOUNT, "GBP/2", first, named)
        return recognise(self.bank.tell(part), wanted)

    def send(self, part: Part, seen: TransferState, fault: int, delay: int) -> e.Event:
        if seen.next_attempt_at is None or self.now >= seen.next_attempt_at:
            return e.NotSent("too_late")
        assert not seen.needs_person, "sent what waits for a person"
        if fault == GONE:
            return e.NotSent("unavailable")
        if fault == NO:
            return e.Refused("account_unusable")
        if fault == LOST_BEFORE:
            return e.Lost("outcome_unknown")
        if fault == LATE:
            self.bank.late.append((self.now + timedelta(seconds=delay), part))
            return e.Lost("outcome_unknown")
        if not self.bank.move(part, self.now):
            return e.Refused("insufficient_funds")
        if fault == LOST_AFTER:
            return e.Lost("outcome_unknown")
        return e.Answered(Evidence("ref", AMOUNT, "GBP/2"))

    # -- what must hold

    def check(self) -> None:
        """Raise AssertionError if money moved twice, or a row tells a lie."""
        for part, row in self.rows.items():
            self.check_row(part, row)
        first = self.rows[Part.FIRST]
        if self.bank.of(Part.SECOND):
            assert first.status in (e.Status.DONE, e.Status.REVERSED), "second first"
        if self.bank.of(Part.BACK):
            assert not self.bank.of(Part.SECOND), "brought back and sent on"

    def check_row(self, part: Part, row: TransferState) -> None:
        made = self.bank.of(part)
        coming = [p for _, p in self.bank.late if p == part]
        assert len(made) <= 1, f"{part} moved twice"
        if made:
            assert row.first_sent_at, "moved without a committed moment"
        if row.status in NEVER_MOVED:
            assert not made, f"{part} is {row.status}, but it moved"
            assert not coming, f"{part} is {row.status}, but it will move"
        # Without ids the owner's own move alike cannot be told from ours.
        mistaken = not self.bank.names_ids and self.by_hand[WAYS[part]]
        if row.status in (e.Status.DONE, e.Status.REVERSED) and not mistaken:
            assert made, f"{part} is {row.status}, but nothing moved"

    def settle(self) -> None:
        """Let the faults end: every row settles by itself, or a person is called."""
        self.workers.clear()
        self.owner_pays(AROUND, 10 * AMOUNT)
        self.owner_pays(FROM, 10 * AMOUNT)
        for _ in range(120):
            self.wait(150)  # longer than any request is late
            self.drive(0)
            while 0 in self.workers:
                self.go_on(0, FINE)
            self.check()
            if all(row.settled or row.needs_person for row in self.rows.values()):
                return
            if self.rows[Part.FIRST].needs_person:
                return  # the second waits with it
        raise AssertionError(f"forgotten: {self.rows}")


def version(state: TransferState) -> tuple[object, ...]:
    return state.status, state.attempts, state.sent_at, state.needs_person


def story(seed: int, steps: int = 60) -> Engine:
    """Play one random story to its end; the same seed tells the same story."""
    chance = random.Random(seed)
    engine, parts = Engine(names_ids=chance.random() < 0.5), list(WAYS)
    for _ in range(steps):
        what, worker = chance.random(), chance.randrange(4)
        if what < 0.3:
            engine.drive(worker)
        elif what < 0.7:
            engine.go_on(worker, chance.choice(FAULTS), chance.randint(1, 120))
        elif what < 0.85:
            engine.wait(chance.choice(PAUSES))
        elif what < 0.9:
            engine.owner_pays(
                chance.choice([FROM, AROUND]), chance.choice([-1900, 700])
            )
        elif what < 0.93:
            engine.owner_moves(chance.choice(parts))
        elif what < 0.97:
            engine.resolve(chance.choice(parts))
        else:
            engine.kill(worker)
        engine.check()
    engine.settle()
    return engine
