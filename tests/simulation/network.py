"""Requests that are lost, late, refused or answered, and tokens that run out."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from providers.errors import (
    AuthenticationFailed,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    TooLate,
    Unavailable,
)

from .bank import Bank
from .database import Database
from .stage import Process, Stage

T = TypeVar("T")
Asked = Generator[float, None, T]
DEADLINE = 15.0  # seconds until an answer is no longer waited for
LATEST = 120.0  # seconds until a request that was held up is lost for good
REFRESH_LEASE = timedelta(seconds=45)
PATIENCE = timedelta(seconds=10)
UNREACHABLE, LIMITED, LOST, LATE, CUT, BROKEN = range(6)
TICK = 0.003  # seconds for a statement


class ServerError(OutcomeUnknown):
    """The provider answered with 500: it may have acted before."""


class Network:
    """Between the workers and the bank."""

    leases = True  # whether a token is renewed by one worker at a time

    def __init__(self, stage: Stage, bank: Bank, rows: Database) -> None:
        self.stage, self.bank, self.rows = stage, bank, rows
        self.down_from: datetime = stage.now
        self.down_until: datetime | None = None
        self.under_way = 0  # requests that may still arrive after their worker is gone

    def fate(self) -> int | None:
        """Draw what happens to a request; None: nothing bad."""
        now = self.stage.now
        if self.down_until and self.down_from <= now < self.down_until:
            return UNREACHABLE if self.stage.draw() < 0.8 else LOST
        if self.stage.draw() >= self.stage.weather.faults:
            return None
        return int(self.stage.draw() * 6)

    def send(
        self,
        process: Process,
        token: int,
        act: Callable[[], T],
        *,
        moves: bool,
        until: datetime | None,
    ) -> Asked[T]:
        """Return what the bank answers to one request, or raise what a driver raises."""
        if until is not None and self.stage.now >= until:
            raise TooLate
        process.on_the_wire = True
        yield TICK
        process.on_the_wire = False
        fate = self.fate()
        if fate in (UNREACHABLE, LIMITED):
            yield 0.1
            limited = RateLimited(retry_after=float(self.stage.chance.choice((1, 30))))
            raise limited if fate == LIMITED else Unavailable()
        answer: list[T | ProviderError] = []

        def arrive() -> None:
            self.under_way -= 1
            try:
                self.bank.admit(token)
                answer.append(act())
            except ProviderError as error:
                answer.append(error)

        yield self.carry(arrive, fate)
        if fate is not None:
            failed = ServerError if fate == BROKEN else OutcomeUnknown
            raise failed() if moves else Unavailable()
        if isinstance(answer[0], ProviderError):
            raise answer[0]
        return answer[0]

    def carry(self, arrive: Callable[[], None], fate: int | None) -> float:
        """Let a request arrive, or not; return how long its worker waits."""
        draw = self.stage.draw
        if fate == LOST or (fate == BROKEN and draw() < 0.5):
            return DEADLINE if fate == LOST else 0.3
        travel = 15 + draw() * (LATEST - 15) if fate == LATE else 0.02 + draw() * 0.3
        self.under_way += 1
        self.stage.after(travel, arrive)
        return DEADLINE if fate in (LATE, CUT) else 2 * travel

    # -- with a token

    def call(
        self,
        worker,
        act: Callable[[], T],
        *,
        moves: bool = False,
        until: datetime | None = None,
    ) -> Asked[T]:
        """Make a call; a token that is refused is renewed once."""
        ask = partial(self.send, worker.process, act=act, moves=moves, until=until)
        try:
            return (yield from ask(worker.token))
        except AuthenticationFailed:
            yield from self.refresh(worker)
        return (yield from ask(worker.token))

    def refresh(self, worker) -> Asked[None]:
        """Give `worker` the newest token; raises ProviderError if there is none.

        It waits until all others were heard whom the same process asks.
        """
        process = worker.process
        process.would_renew += 1
        try:
            while process.asks > process.would_renew:
                yield 0.05
        finally:  # it may be given up
            process.would_renew -= 1
        yield TICK
        kept, now = self.rows.connection, self.stage.now
        free = kept.lease_until is None or kept.lease_until < now
        if self.leases and not (free and kept.token == worker.token):
            yield from self.wait_for(worker)
            return
        kept.lease_until = now + REFRESH_LEASE
        worker.process.renews.append(self.bank)
        try:
            token = yield from self.renew(worker)
        except ProviderError:
            worker.process.renews.remove(self.bank)
            yield TICK
            if kept.token == worker.token:
                kept.lease_until = None
            raise
        yield TICK
        worker.process.renews.remove(self.bank)
        if kept.token == worker.token:
            kept.token, kept.lease_until = token, None
        worker.token = kept.token

    def renew(self, worker) -> Asked[int]:
        """Ask for a token; the driver asks again when an answer is lost."""
        process, used = worker.process, worker.token
        for again in (True, False):
            process.on_the_wire = True
            yield TICK
            process.on_the_wire = False
            lost = self.stage.draw() < self.stage.weather.faults
            if not lost:
                yield 0.2
                token = self.bank.renew(used)
                yield 0.2
                return token
            if self.stage.draw() < 0.5:
                self.bank.renew(used)
                self.bank.spoiled = True
            yield DEADLINE if again else 1.0
        raise Unavailable

    def wait_for(self, worker) -> Asked[None]:
        """Wait for the token that another worker is renewing."""
        ends = self.stage.now + PATIENCE
        while self.stage.now <= ends:
            kept = self.rows.connection
            if kept.token != worker.token:
                worker.token = kept.token
                return
            if kept.lease_until is None:
                raise Unavailable("The token could not be renewed now")
            yield 0.5
        raise Unavailable("Somebody else renews this token right now")
