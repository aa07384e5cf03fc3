"""One process that holds streams open: a thread for each, one writer for all of them.

More such processes may run: each stream has one holder, whose lease another takes over
within seconds. Only the supervisor speaks with the database; the threads never do.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from secrets import token_hex
from threading import Event, Thread
from time import monotonic
from uuid import UUID

import structlog
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.db import connection as database

from accounts.models import Connection, Stream
from accounts.services import trading
from providers.base import Reading
from providers.drivers.streaming import News, Session, State
from providers.errors import ProviderError

from . import hearing, leases
from .leases import Key, Wanted

log = structlog.get_logger(__name__)
LOOK = 0.2  # seconds between two looks at what was told
RENEW = 2.0  # seconds between two renewals of the leases, a third of what they last
CONFIRM = 10.0  # seconds between two confirmations of what did not change
STANDS = 15.0  # seconds since the last sign of life for which a stream is believed
STRETCH = timedelta(seconds=30)  # for which the usual syncs of a live stream wait
CHECK_EVERY = timedelta(minutes=30)  # a live stream is compared with REST so often
REFUSED_FOR = 900.0  # seconds until a refused key is tried again, unless it is changed
COUNTS = ("frames", "connections", "requests")
AWAY = (OperationalError, InterfaceError)
STATES: Mapping[State, str] = {
    State.CONNECTING: Stream.State.CONNECTING,
    State.LIVE: Stream.State.LIVE,
    State.PAUSED: Stream.State.PAUSED,
    State.WAITING: Stream.State.WAITING,
    State.REFUSED: Stream.State.REFUSED,
    State.ENDED: Stream.State.CONNECTING,  # it will be opened again
}


@dataclass
class Held:
    """A stream that this process holds, its thread, and what it told so far."""

    key: Key
    connection: Connection
    credentials: str
    session: Session
    thread: Thread
    figures: dict[str, Reading] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    ended_at: float | None = None
    spoke: bool = False

    @property
    def speaks(self) -> bool:
        """Say whether the stream is live, and was heard of just now."""
        age = monotonic() - self.session.report.alive
        return self.session.live and age < STANDS

    def add(self, news: News) -> None:
        """Take in what was told: a whole replaces everything."""
        if news.whole:
            self.figures.clear()
        self.figures.update(news.readings)

    def grown(self) -> list[int]:
        """Return how much each count has grown since the last time."""
        now = {name: getattr(self.session.report, name) for name in COUNTS}
        grown = [now[name] - self.counted[name] for name in COUNTS]
        self.counted = now
        return grown


class Supervisor:
    """Opens, watches and writes down streams until it is told to stop."""

    def __init__(
        self, holder: str | None = None, *, alive: Callable[[], None] = lambda: None
    ) -> None:
        """Prepare; `alive` is called whenever the leases are renewed."""
        self._alive = alive
        self.holder = holder or f"{socket.gethostname()}:{os.getpid()}:{token_hex(3)}"
        self.held: dict[Key, Held] = {}
        self._stop = Event()
        self._until = 0.0  # monotonic seconds: when our leases end at the latest
        self._renew_at = self._confirm_at = 0.0

    def stop(self) -> None:
        """Let `run` end soon."""
        self._stop.set()

    def run(self) -> None:
        """Hold streams until it is told to stop; gives them back at the end."""
        log.info("streams_begin", holder=self.holder)
        try:
            while not self._stop.wait(LOOK):
                self._look()
        finally:
            self._end()

    def _look(self) -> None:
        try:
            self.step()
        except AWAY as error:
            log.warning("The database is away; streams wait", error=str(error)[:200])
            database.close()
            self._stop.wait(1.0)

    def step(self) -> None:
        """Do what is due: leases first, then what was told, then what is still so."""
        now = monotonic()
        if now >= self._renew_at:
            self._renew(now)
            self._alive()
            self._renew_at = now + RENEW
        self._write_news()
        if now >= self._confirm_at:
            self._confirm()
            self._confirm_at = now + CONFIRM

    # -- who holds what

    def _renew(self, now: float) -> None:
        wanted = {row.key: row for row in leases.wanted()}
        ours = leases.take(wanted, self.holder)
        self._until = now + Stream.LEASE.total_seconds()
        for key in list(self.held):
            row = wanted.get(key)
            if key not in ours or row is None or self._is_over(self.held[key], row):
                self._let_go(key)
        for key in sorted(ours - self.held.keys()):
            self._open(wanted[key])
        self._report()

    def _is_over(self, held: Held, row: Wanted) -> bool:
        """Say whether a stream is to be opened anew: other credentials, or long dead."""
        if held.credentials != row.credentials:
            return True
        if held.thread.is_alive():
            return False
        held.ended_at = held.ended_at or monotonic()
        refused = held.session.report.state is State.REFUSED
        return monotonic() - held.ended_at > (REFUSED_FOR if refused else 0)

    def _open(self, row: Wanted) -> None:
        session = Session(row.provider, row.key.stream, may=self._may)
        thread = Thread(
            target=session.run, name=f"stream-{row.key.stream}", daemon=True
        )
        held = Held(row.key, row.connection, row.credentials, session, thread)
        self.held[row.key] = held
        thread.start()

    def _may(self) -> bool:
        return monotonic() < self._until and not self._stop.is_set()

    def _let_go(self, key: Key) -> None:
        held = self.held.pop(key)
        held.session.stop()
        leases.due_now([key.connection])

    def _end(self) -> None:
        for held in self.held.values():
            held.session.stop()
        for held in self.held.values():
            held.thread.join(5)
        try:
            self._write_news()
            leases.due_now(sorted({key.connection for key in self.held}))
            leases.give_all(self.holder)
        except AWAY as error:
            log.warning("Leases end by themselves", error=str(error)[:200])
        log.info("streams_end", holder=self.holder)

    # -- what is told

    def _write_news(self) -> None:
        taken = [(held, held.session.take()) for held in self.held.values()]
        news = [(held, told) for held, told in taken if told]
        if not news:
            return
        for held, told in news:
            held.add(told)
        try:
            self._hear(news)
        except AWAY:
            for held, told in news:
                held.session.give_back(told)
            raise

    def _hear(self, news: Iterable[tuple[Held, News]]) -> None:
        told = [
            hearing.Told(
                held.connection,
                list(found.readings.values()),
                found.whole,
                held.session.covers,
            )
            for held, found in news
            if found.readings or found.whole
        ]
        hearing.hear(told, leases.database_time())
        for held, found in news:
            if found.orders or found.trades:
                _trade(held, found)
            found.orders, found.trades = {}, []  # or they would be heard twice

    def _confirm(self) -> None:
        live = [held for held in self.held.values() if held.speaks]
        stands = [
            hearing.Figures(held.connection, held.figures, held.session.covers)
            for held in live
        ]
        moment = leases.database_time()
        for connection, name in hearing.confirm(stands, moment):
            self._tell_again(connection, name)

    def _tell_again(self, connection: UUID, name: str) -> None:
        """Let what is known otherwise be heard once more."""
        for held in self.held.values():
            if held.key.connection == connection and name in held.figures:
                held.session.give_back(News({name: held.figures[name]}))

    # -- how it is

    def _report(self) -> None:
        """Write down how each stream is, and who needs to be asked over REST now."""
        rows = []
        for key, held in self.held.items():
            told = held.session.report
            left = told.next_try - monotonic() if told.state is State.WAITING else None
            rows.append((key, (STATES[told.state], told.reason, left, *held.grown())))
        leases.report(self.holder, rows)
        self._schedule()

    def _schedule(self) -> None:
        by_connection: dict[UUID, list[Held]] = {}
        for held in self.held.values():
            by_connection.setdefault(held.key.connection, []).append(held)
        told = [pk for pk, hs in by_connection.items() if all(h.speaks for h in hs)]
        leases.put_off(told, STRETCH, CHECK_EVERY)
        fallen = [pk for pk, hs in by_connection.items() if any(map(_fell, hs))]
        leases.due_now(fallen)


def _trade(held: Held, news: News) -> None:
    """Write down orders and trades; where that cannot be, let REST tell them."""
    try:
        trading.hear(held.connection, list(news.orders.values()), news.trades)
    except (ProviderError, DataError, IntegrityError) as error:
        log.warning("Orders of a stream are not kept", error=str(error)[:300])
        leases.due_now([held.key.connection])


def _fell(held: Held) -> bool:
    """Say, once, that a stream that was believed is so no more."""
    before, held.spoke = held.spoke, held.speaks
    return before and not held.spoke
