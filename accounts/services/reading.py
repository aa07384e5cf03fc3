"""One visit to one connection's provider: its balances, then the movements that are due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from accounts.models import Connection, SyncRun
from providers.base import (
    History,
    ListsMovements,
    Movement,
    Observation,
    Place,
    Provider,
    Reading,
)
from providers.errors import FAULTS, ProviderError, UnexpectedResponse, words_of
from providers.money import Asset
from providers.wire import Call, Request, T, watched

LIST_EVERY = timedelta(minutes=30)  # new accounts are looked for at least so often
MOVEMENTS_EVERY = timedelta(minutes=15)  # where no balance told us to look sooner
OVERLAP = timedelta(days=14)  # what is pending longer will hardly settle any more
MOST_STRETCHES = 100  # of one history, in one visit


@dataclass(frozen=True, slots=True)
class Before:
    """What decides what is asked about an account, as it was before the visit."""

    total: int | None = None
    available: int | None = None
    cursor: str = ""
    read_at: datetime | None = None
    place: Place | None = None  # of an open account that is inside no other
    earlier: Sequence[Place] = ()  # the same, with the blocks of its last snapshots


NEVER = Before()


@dataclass(frozen=True, slots=True)
class Clock:
    """The database's time, carried on by this machine's monotonic clock."""

    moment: datetime
    at: float

    def when(self, at: float) -> datetime:
        """Return the database's time at `at` of the monotonic clock."""
        return self.moment + timedelta(seconds=at - self.at)


@dataclass(slots=True)
class Visit:
    """What one connection is asked, and what it said so far."""

    connection: Connection
    provider: Provider
    kind: str
    clock: Clock
    since: datetime
    before: Mapping[str, Before] = field(default_factory=dict)
    asked: float = 0.0
    answered: float = 0.0
    requests: int = 0
    listed: bool = False  # whether the provider was asked which accounts there are
    observation: Observation | None = None
    histories: dict[str, History] = field(default_factory=dict)
    unread: dict[str, ProviderError] = field(default_factory=dict)

    @property
    def asked_at(self) -> datetime:
        return self.clock.when(self.asked)

    @property
    def fetched_at(self) -> datetime:
        return self.clock.when(self.answered)

    def call(self) -> Call[None]:
        """Fill this visit in; what was heard stays, even if the rest fails."""
        try:
            self.observation = yield from self._observe()
            yield from self._list_movements(self.observation)
        except FAULTS as fault:
            raise UnexpectedResponse(words_of(self.provider.name, fault)) from fault

    def _observe(self) -> Call[Observation]:
        found = yield from self._look()
        if all(i.expected == i.actual for i in found.invariants):
            return found
        # The figures are read one after the other: money may have moved in between.
        try:
            return (yield from self._look())
        except ProviderError:
            return found

    def _look(self) -> Call[Observation]:
        asked, known = monotonic(), self._known()
        found = yield from self._counted(self.provider.observe(known))
        self.listed = not known or any(place.block for place in known)
        # Nobody waits longer for an answer. A worker that was held up since would take what
        # was so long ago for the truth of this moment.
        self.asked = asked
        self.answered = min(monotonic(), asked + self.provider.deadline)
        return found

    def _known(self) -> list[Place]:
        """Return the accounts to ask about; none where they have to be listed first.

        A chain's are told always: it is asked whether it still has their blocks.
        """
        places = [b.place for b in self.before.values() if b.place is not None]
        if any(place.block for place in places):
            return [*places, *(p for b in self.before.values() for p in b.earlier)]
        listed_at = self.connection.accounts_listed_at
        if self.kind != SyncRun.Kind.PERIODIC or listed_at is None:
            return []
        if listed_at < self.clock.moment - LIST_EVERY:
            return []
        return places

    def _list_movements(self, observation: Observation) -> Call[None]:
        if not isinstance(self.provider, ListsMovements):
            return
        for reading in self._due(observation.readings):
            try:
                history = yield from self._history(self.provider, reading)
            except ProviderError as error:
                self.unread[reading.external_id] = error
            else:
                self.histories[reading.external_id] = history

    def _due(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        """Yield the accounts whose movements are wanted: pots have none of their own."""
        late = self.asked_at - MOVEMENTS_EVERY
        moved = {r.parent or r.external_id for r in readings if self._moved(r)}
        for reading in readings:
            if reading.parent is not None or reading.closed:
                continue
            read_at = self.before.get(reading.external_id, NEVER).read_at
            if (
                self.kind != SyncRun.Kind.PERIODIC
                or read_at is None
                or read_at < late
                or reading.external_id in moved
            ):
                yield reading

    def _moved(self, reading: Reading) -> bool:
        before = self.before.get(reading.external_id, NEVER)
        return (reading.total, reading.available) != (before.total, before.available)

    def _history(self, provider: ListsMovements, reading: Reading) -> Call[History]:
        place = Place(reading.external_id, reading.kind, asset=reading.asset)
        before = self.before.get(reading.external_id, NEVER)
        cursor, since = before.cursor, self.since
        if before.read_at is not None:  # where there was nothing to put a cursor at
            since = max(since, before.read_at - OVERLAP)
        movements: list[Movement] = []
        truncated = False
        for _ in range(MOST_STRETCHES):
            stretch = yield from self._counted(
                provider.movements(place, cursor, now=self.asked_at, since=since)
            )
            _check(stretch, reading.asset)
            movements += stretch.movements
            cursor, truncated = stretch.cursor, truncated or stretch.truncated
            if not stretch.more:
                break
        return History(movements, cursor, truncated)

    def _counted(self, call: Call[T]) -> Call[T]:
        """Pass `call` on and count its requests."""

        def count(_: Request) -> None:
            self.requests += 1

        return watched(call, count)


def _check(history: History, asset: Asset) -> None:
    for movement in history.movements:
        if movement.asset != asset:
            raise UnexpectedResponse(
                f"A movement is in {movement.asset}, its account in {asset}"
            )
