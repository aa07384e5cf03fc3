"""What is stored of the past: balances, movements, and what a rule really moved."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import Any

from .outlays import Outlay, Promise, Salaries
from .payday import MovementSeen
from .terms import Holding, Move

AS_OF = attrgetter("as_of")
STORED = "snapshot"
UNREAD: dict[str, Any] = {
    "available": None,
    "total": None,
    "age_seconds": None,
    "as_of": None,
    "source": "unknown",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What an account held from this moment on, until the next reading."""

    as_of: datetime
    available: int
    total: int


@dataclass(frozen=True, slots=True)
class Flow:
    """A transfer that this rule really made; without `settled` it is not certain."""

    source: str
    target: str
    amount: int
    sent: datetime
    settled: datetime | None


@dataclass(frozen=True, slots=True)
class Followed:
    """A run of another rule that really happened, for those that follow it."""

    rule: str
    key: str
    finished: datetime
    moved: int


@dataclass(frozen=True)
class Past:
    """Everything that a replay rests on; amounts in minor units of their account."""

    accounts: Mapping[str, Holding]  # as they are today, balances aside
    readings: Mapping[str, Sequence[Reading]]  # by account, the oldest first
    movements: Mapping[str, Sequence[MovementSeen]] = field(default_factory=dict)
    flows: Sequence[Flow] = ()  # the rule's own, in the stretch that is replayed
    followed: Sequence[Followed] = ()
    outlays: Mapping[str, Sequence[Outlay]] = field(default_factory=dict)
    promises: Mapping[str, Sequence[Promise]] = field(default_factory=dict)  # before it
    salaries: Mapping[str, Salaries] = field(default_factory=dict)  # by bills pot
    closed: Mapping[str, datetime] = field(default_factory=dict)  # since when
    protected: Mapping[str, datetime] = field(default_factory=dict)
    # What the rule had done before the stretch begins.
    last_success: datetime | None = None
    last_fired: Mapping[int, datetime] = field(default_factory=dict)  # by trigger
    moved: Sequence[tuple[datetime, int]] = ()

    def reading(self, account: str, at: datetime) -> Reading | None:
        """Return the newest reading that was there at `at`; None before the first."""
        rows = self.readings.get(account, ())
        index = bisect_right(rows, at, key=AS_OF)
        return rows[index - 1] if index else None

    def read_from(self, account: str, at: datetime) -> datetime | None:
        """Return when `account` was read at `at` or next after it."""
        rows = self.readings.get(account, ())
        index = bisect_left(rows, at, key=AS_OF)
        return rows[index].as_of if index < len(rows) else None

    def read_after(self, account: str, at: datetime) -> datetime | None:
        """Return when `account` was read next after `at`."""
        rows = self.readings.get(account, ())
        index = bisect_right(rows, at, key=AS_OF)
        return rows[index].as_of if index < len(rows) else None

    def certain(self) -> Past:
        """Return the past without readings that may or may not show an own transfer.

        One that was made while the bank was acting says nothing certain about it; where
        the end of a transfer is not known, no later reading does.
        """
        kept = {account: list(rows) for account, rows in self.readings.items()}
        for flow in self.flows:
            for rows in (kept.get(flow.source, []), kept.get(flow.target, [])):
                first = bisect_left(rows, flow.sent, key=AS_OF)
                last = len(rows)
                if flow.settled is not None:
                    last = bisect_left(rows, flow.settled, key=AS_OF)
                del rows[first:last]
        return replace(self, readings=kept)

    def undone(self, account: str, at: datetime) -> int:
        """Return how much of a reading at `at` is owed to the rule's own transfers."""
        steps = self.settled.get(account, ())
        index = bisect_right(steps, at, key=itemgetter(0))
        return steps[index - 1][1] if index else 0

    @cached_property
    def settled(self) -> Mapping[str, Sequence[tuple[datetime, int]]]:
        """Return by account what own transfers had come to, whenever one settled."""
        sums: dict[str, list[tuple[datetime, int]]] = {}
        ended = [(flow.settled, flow) for flow in self.flows if flow.settled]
        for at, flow in sorted(ended, key=itemgetter(0)):
            for account in (flow.source, flow.target):
                rows = sums.setdefault(account, [])
                rows.append((at, (rows[-1][1] if rows else 0) + into(flow, account)))
        return sums


@dataclass(frozen=True, slots=True)
class Point:
    """What was stored of an account at a moment, and what would have been there."""

    at: datetime
    stored: int | None
    would: int | None


class Course:
    """What accounts held at a moment: as stored, or had the replayed moves been made."""

    def __init__(self, past: Past, *, carry: bool) -> None:
        self.carry = carry
        self.past = past.certain() if carry else past
        self.made: list[tuple[datetime, Move]] = []
        self.carried: dict[str, int] = {}

    def make(self, at: datetime, moves: Sequence[Move]) -> None:
        """Remember what was moved at `at`."""
        for move in moves:
            self.made.append((at, move))
            if self.carry:
                for account in (move.source, move.target):
                    before = self.carried.get(account, 0)
                    self.carried[account] = before + into(move, account)

    def shift(self, account: str, reading: Reading) -> int:
        """Return by how much an account differs from what was read of it."""
        if not self.carry:
            return 0
        return self.carried.get(account, 0) - self.past.undone(account, reading.as_of)

    def available(self, account: str, at: datetime) -> int | None:
        """Return what was free at `at`; None where nobody had read it yet."""
        reading = self.past.reading(account, at)
        if reading is None:
            return None
        return reading.available + self.shift(account, reading)

    def next_reading(self, at: datetime) -> datetime | None:
        """Return when one of the accounts was read next after `at`."""
        found = (self.past.read_after(account, at) for account in self.past.accounts)
        return min(filter(None, found), default=None)

    def points(self, account: str, since: datetime, until: datetime) -> list[Point]:
        """Return what was stored and what would have been, wherever either changes."""
        rows = self.past.readings.get(account, ())
        made = [(at, into(move, account)) for at, move in self.made]
        moments = {since, until, *(at for at, by in made if by)}
        moments |= {row.as_of for row in rows if since <= row.as_of <= until}
        carried, coming, found = 0, deque(made if self.carry else ()), []
        for at in sorted(moments):
            while coming and coming[0][0] <= at:
                carried += coming.popleft()[1]
            found.append(self.point(account, at, carried))
        return found

    def point(self, account: str, at: datetime, carried: int) -> Point:
        reading = self.past.reading(account, at)
        if reading is None:
            return Point(at, None, None)
        undone = self.past.undone(account, reading.as_of) if self.carry else 0
        return Point(at, reading.available, reading.available + carried - undone)

    def holdings(self, at: datetime) -> dict[str, Holding]:
        """Return every account as a run at `at` would have found it, read just then."""
        return {
            account: self.holding(known, at)
            for account, known in self.past.accounts.items()
        }

    def holding(self, known: Holding, at: datetime) -> Holding:
        account, reading = known.account, self.past.reading(known.account, at)
        facts: dict[str, Any] = {
            "closed": reached(self.past.closed, account, at),
            "protected": reached(self.past.protected, account, at),
        }
        if reading is None:
            return replace(known, **UNREAD, **facts)
        shift = self.shift(account, reading)
        return replace(
            known,
            available=reading.available + shift,
            total=reading.total + shift,
            age_seconds=0,
            as_of=reading.as_of,
            source=STORED,
            **facts,
        )


def into(moved: Move | Flow, account: str) -> int:
    """Return by how much a move changes what `account` holds."""
    if account == moved.source:
        return -moved.amount
    return moved.amount if account == moved.target else 0


def reached(since: Mapping[str, datetime], account: str, at: datetime) -> bool:
    """Say whether what began at some moment had begun at `at`."""
    return account in since and since[account] <= at
