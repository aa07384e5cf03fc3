"""Begins the next transfer as one ends, as `automation.services.relay` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from automation import machine
from automation.machine import Command, Part, events
from automation.rules.draft import LIVE_SECONDS
from automation.services.relay import entered
from automation.services.sending import books_alone
from automation.services.terms import age

from .database import Busy

LATER = timedelta(microseconds=1)  # no clock stands still between two lines


@dataclass(slots=True)
class Successor:
    """How a transfer begins as another ends, and what its source is thought to hold."""

    turn: Any
    before: tuple[Any, Any]  # what was noted on the row
    source: Any = None
    sending: machine.TransferState | None = None  # judged when the other has ended


class Relay:
    """The part of a `Drive` that lets a transfer begin, and the next as it ends."""

    worker: Any
    world: Any
    run: Any
    row: Any
    steps: Sequence[Any]
    part: Part
    receipt: Any
    following: Callable[[], Any]

    def relay(
        self, after: machine.TransferState, commands: Sequence[Command]
    ) -> Successor | None:
        """Return how the next transfer begins as this one ends; None where it waits."""
        booked = books_alone(commands, self.part) and self.receipt is not None
        row = self.following() if booked and not self.success(after, commands) else None
        if row is None:
            return None
        turn = type(self)(self.worker, self.run, row, self.steps)
        before = row.held_before, row.good_until
        if row.source_id != self.row.source_id:
            return Successor(turn, before)
        due = isinstance(turn.first_event(), events.Claim)
        if not due or row.target_id == self.row.target_id:
            return None
        known, ended = self.run.held[row.source_id], {"settled_at": after.settled_at}
        source = entered(known, self.row, ended, self.receipt.balances)
        sending = turn.begun(
            self.run.held | {row.source_id: source}, self.a_little_later
        )
        if sending is None:
            row.held_before, row.good_until = before
            return None
        return Successor(turn, before, source, sending)

    @property
    def a_little_later(self) -> datetime:
        return self.world.now + LATER

    def begun(
        self, balances: dict[str, Any], now: datetime
    ) -> machine.TransferState | None:
        """Return this transfer claimed and about to be sent, if live `balances` allow."""
        row = self.row
        if age(balances[row.source_id], now) > LIVE_SECONDS:
            return None
        state = self.world.rows.transfer_state(row, self.part)
        claimed, commands = machine.step(state, events.Claim(), now)
        if commands != (Command.CHECK,):
            return None
        sending, commands = machine.step(claimed, self.weigh(balances), now)
        return sending if commands == (Command.SEND,) else None

    # -- as it ends

    def hand_on(self, next_: Successor) -> None:
        """Begin the next in the transaction that ended this, if all is as it was judged."""
        rows, row = self.world.rows, next_.turn.row
        if next_.sending is None:
            begun = next_.turn.begins_beside()
        else:
            begun = self.as_judged(next_) and rows.save_transfer(row, next_.sending)
        if not begun:
            row.held_before, row.good_until = next_.before
            return
        row.begun = True
        if next_.source is not None:
            self.run.held[row.source_id] = next_.source
        self.world.watch.permits(row, rows.balances[row.source_id].copy())
        self.world.stage.note("handed on", row.name)

    def begins_beside(self) -> bool:
        """Begin a transfer out of another account, on what is held there now."""
        row, rows = self.row, self.world.rows
        enabled = rows.rules[self.run.rule_id].enabled
        if not enabled or not isinstance(self.first_event(), events.Claim):
            return False
        sending = self.begun(self.read(), self.a_little_later)
        try:
            return sending is not None and rows.save_transfer(row, sending)
        except Busy:
            return False

    def as_judged(self, next_: Successor) -> bool:
        """Say whether both ends of the next hold what it was judged on."""
        rows, row = self.world.rows, next_.turn.row
        kept, source = rows.balances[row.source_id], next_.source
        known = source.total, source.available, source.fetched_at, source.as_of
        if (kept.total, kept.available, kept.fetched_at, kept.as_of) != known:
            return False
        filled = row.held_before if row.target.parent_id else None
        same = filled is None or rows.balances[row.target_id].total == filled
        return same and rows.rules[self.run.rule_id].enabled
