"""One transfer at a time: claimed, checked, sent under its own id, settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils.timezone import now

from accounts.models import Connection
from accounts.services import be_committed, call, steadily
from automation import machine
from automation.machine import Command, Evidence, Part, events
from automation.machine.endings import Result
from automation.models import RuleRun, Transfer
from automation.rules import dedupe_id
from providers.base import Provider, Receipt
from providers.errors import (
    FAULTS,
    OutcomeUnknown,
    ProviderError,
    Refused,
    words_of,
)
from providers.wire import Call, before

from .asking import ask, failure
from .attributes import attributes
from .funds import check
from .locks import hold
from .relay import Relay
from .routes import place
from .rows import (
    KEPT,
    busy,
    ending,
    finish_run,
    part_of,
    save_transfer,
    take,
    transfer_state,
)
from .succeeding import Ending
from .switches import Stopped, freeze, guard, resting

log = structlog.get_logger("automation.transfers")
PROMPT = timedelta(seconds=Provider.deadline)  # from the intent to what came of it
# From the intent to the order: who pauses all moves after the one waits no longer for the
# other.
AT_ONCE = timedelta(seconds=5)


class Drive:
    """Takes one transfer of a run as far as it goes now."""

    def __init__(self, run: RuleRun, row: Transfer, steps: Sequence[Transfer]) -> None:
        self.run, self.row, self.steps = run, row, steps
        self.part = part_of(row, steps)
        self.before = next((s for s in steps if s.pk == row.depends_on_id), None)
        self.added: Transfer | None = None
        self.receipt: Receipt | None = None
        self.following: Callable[[], Transfer | None] = lambda: None

    def go(self) -> None:
        """Claim the transfer, and do what the machine commands until it rests."""
        begun, self.row.begun = self.row.begun, False
        self.do([Command.SEND] if begun else self.apply(self.first_event()))

    def go_on(self, event: machine.Event) -> None:
        """Do what follows from `event` until the transfer rests."""
        self.do(self.apply(event))

    def do(self, commands: Sequence[Command]) -> None:
        while commands:
            event = ACTIONS[commands[0]](self) if commands[0] in ACTIONS else None
            commands = self.apply(event) if event is not None else ()

    def let_go(self) -> None:
        """Leave to others what was claimed here and never sent."""
        begun, self.row.begun = self.row.begun, False
        if begun:
            self.apply(events.NotSent("run_taken", "Another worker has the run"))

    def first_event(self) -> machine.Event | None:
        """Return a claim, unless the transfer before this one, or its age, forbids it."""
        row, before = self.row, self.before
        if row.status != Transfer.Status.PENDING:
            return events.Claim()
        if before is not None and self.part == Part.SECOND:
            if before.settled_at is None:
                return None
            if self.in_vain():
                return events.DependencyFailed()
        if row.expires_at is not None and row.expires_at <= now():
            return events.Expire()
        return resting(self.run, row) or events.Claim()

    def in_vain(self) -> bool:
        """Say whether the step before this one ended and left no money to send on."""
        before = self.before
        if before is None or self.part != Part.SECOND:
            return False
        return before.settled_at is not None and before.status != Transfer.Status.DONE

    def apply(self, event: machine.Event | None) -> Sequence[Command]:
        """Return what is left to do after `event`; nothing if somebody was faster."""
        if event is None:
            return ()
        before, (after, commands) = self.step(event)
        if after is before:
            return commands
        if not steadily(lambda: self.commit(after, commands)):
            return ()
        self.tell()
        return [c for c in commands if c in ACTIONS]

    def step(self, event: machine.Event) -> tuple[machine.TransferState, Result]:
        """Return what the transfer is, and what `event` makes of it."""
        before = transfer_state(self.row, self.part)
        return before, machine.step(before, event, now())

    def ending(self, event: machine.Event) -> Ending | None:
        """Return what is written where `event` ends the transfer and the run succeeds."""
        _, (after, commands) = self.step(event)
        if not self.all_at_once(commands):
            return None
        return ending(self.run, self.row, after, self.steps, self.told())

    def commit(self, after: machine.TransferState, commands: Sequence[Command]) -> bool:
        """Write the new state and what belongs to it, all or nothing."""
        rows = [row for row in (self.row, self.before) if row is not None]
        known = [attributes(row, KEPT) for row in rows]
        try:
            with nullcontext() if self.all_at_once(commands) else transaction.atomic():
                if after.needs_person and not self.row.needs_person:
                    hold([self.row.source.connection_id])
                if Command.SEND in commands:
                    guard(self.row)
                if not self.save(after, commands):
                    return False
                self.enter(commands)
            self.run.moved |= Command.BOOK in commands
        except DatabaseError as error:
            for row, fields in zip(rows, known, strict=True):
                take(row, fields)  # nothing of it was written
            if not busy(error):
                raise
            self.apply(events.Busy())
            return False
        except Stopped as stop:
            self.apply(stop.event)
            return False
        return True

    def all_at_once(self, commands: Sequence[Command]) -> bool:
        """Say whether one statement writes all that `commands` want."""
        return books_alone(commands, self.part)

    def save(self, after: machine.TransferState, commands: Sequence[Command]) -> bool:
        """Write the new state, and with it what accounts hold and that the run is over."""
        told = self.told() if Command.BOOK in commands else None
        if told is not None and self.all_at_once(commands):
            done = finish_run(self.run, self.row, after, self.steps, told)
            if done is None and (relay := self.relay()) is not None:
                done = relay(after, told)
            if done is not None:
                return done
        return save_transfer(self.row, after, told=told)

    def relay(self) -> Relay | None:
        """Return how the next transfer may begin as this one, sent just now, ends."""
        next_ = self.following() if self.receipt else None
        if next_ is None:
            return None
        turn = Drive(self.run, next_, self.steps)
        return Relay(self.run, self.steps, self.row, next_, turn.part, turn.due)

    def due(self) -> bool:
        """Say whether the next thing to do is to claim the transfer."""
        return isinstance(self.first_event(), events.Claim)

    def told(self) -> Mapping[str, int]:
        """Return what the provider said that accounts hold since, by its own ids.

        Nothing where its answer may have lain there for long: the worker was held up.
        """
        receipt, sent_at = self.receipt, self.row.sent_at
        if receipt is None or sent_at is None or now() > sent_at + PROMPT:
            return {}
        return receipt.balances

    def enter(self, commands: Sequence[Command]) -> None:
        """Write what belongs to the same moment as the new state."""
        if Command.BOOK in commands:
            self.book()
        if Command.COMPENSATE in commands:
            self.compensate()
        if Command.FREEZE in commands:
            freeze(self.run.rule_id)
            log.critical(
                "rule_frozen", rule=str(self.run.rule_id), run=str(self.run.pk)
            )

    def book(self) -> None:
        """Do what follows once the balances are entered."""
        if self.part == Part.BACK and self.before is not None:
            Drive(self.run, self.before, [self.before, self.row]).reverse()

    def reverse(self) -> None:
        """Mark a first step whose money was brought back."""
        self.part = Part.FIRST
        self.apply(events.BroughtBack())

    def compensate(self) -> None:
        """Commit the one transfer that brings the money back to the first pot."""
        first, row, run = self.before, self.row, self.run
        if first is None:
            return
        name = dedupe_id(settings.INSTALLATION_ID, run.rule_id, run.key, row.move, 2)
        self.added = Transfer(
            id=name,
            run=run,
            move=row.move,
            step=2,
            depends_on=first,
            source=first.target,
            target=first.source,
            amount=first.amount,
            asset=first.asset,
            expires_at=now() + timedelta(seconds=run.rule.plan_ttl_seconds),
        )
        Transfer.objects.bulk_create([self.added], ignore_conflicts=True)

    def tell(self) -> None:
        row = self.row
        loud = row.needs_person or row.status in ("refused", "stranded", "expired")
        (log.warning if loud else log.info)(
            f"transfer_{row.status}",
            transfer=str(row.pk),
            attempt=row.attempts,
            needs_person=row.needs_person,
            error_code=row.error_code,
            error=row.error,
        )

    # -- what goes over the network

    def ask(self) -> machine.Event:
        return ask(self.row)

    def check(self) -> machine.Event:
        return check(self.run, self.row)

    def send(self) -> machine.Event:
        order = self.order()
        if order is None:
            return LATE
        try:
            return self.heard(call(*order))
        except ProviderError as error:
            return self.heard(error)

    def order(self) -> tuple[Connection, Callable[[Provider], Call[Receipt]]] | None:
        """Return whom to ask for what; None where that must not be sent any more.

        Raises NotCommitted where the intent is not.
        """
        be_committed()
        row = self.row
        until = latest(row)
        if until is None or now() >= until:
            return None

        def make(adapter: Provider) -> Call[Receipt]:
            ends = place(row.source), place(row.target)
            sent = adapter.transfer(*ends, row.amount, dedupe_id=str(row.pk))
            return before(sensible(adapter, sent), until)

        return row.source.connection, make

    def heard(self, answer: Receipt | ProviderError) -> machine.Event:
        """Return what the provider's answer means for the transfer."""
        match answer:
            case Refused():
                return failure(events.Refused, answer)
            case OutcomeUnknown():
                return failure(events.Lost, answer)
            case ProviderError():
                return failure(events.NotSent, answer)
        self.receipt = answer
        return events.Answered(evidence(self.row, answer))


def sensible(adapter: Provider, call: Call[Receipt]) -> Call[Receipt]:
    """Make `call`; an answer that the adapter trips over leaves the outcome unknown."""
    try:
        return (yield from call)
    except FAULTS as fault:
        raise OutcomeUnknown(words_of(adapter.name, fault)) from fault


def books_alone(commands: Sequence[Command], part: Part) -> bool:
    """Say whether an end enters balances, and changes no other transfer."""
    return tuple(commands) == (Command.BOOK,) and part != Part.BACK


ACTIONS: Mapping[Command, Callable[[Drive], machine.Event]] = {
    Command.ASK: Drive.ask,
    Command.CHECK: Drive.check,
    Command.SEND: Drive.send,
}


LATE = events.NotSent("too_late", "The worker was held up")


def latest(row: Transfer) -> datetime | None:
    """Return the moment from which a worker that was held up must not send any more.

    The intent is too old then, or the reading on which the source could pay is. None: it
    must not send at all.
    """
    intent, reading = row.sent_at, row.good_until
    return None if intent is None or reading is None else min(intent + AT_ONCE, reading)


def text(receipt: Receipt) -> str | None:
    return str(receipt.asset) if receipt.asset else None


def evidence(row: Transfer, receipt: Receipt) -> Evidence:
    """Return what an answer proves: its own words, and the pot's new balance."""
    pot, sign = (row.target, 1) if row.target.parent_id else (row.source, -1)
    said = receipt.balances.get(pot.external_id)
    agrees = None
    if said is not None and row.held_before is not None:
        agrees = said == row.held_before + sign * row.amount
    return Evidence(receipt.reference, receipt.amount, text(receipt), agrees)
