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
from automation.services.rows import KEPT
from automation.services.sending import books_alone
from automation.services.terms import age

from .database import Busy

LATER = timedelta(microseconds=1)  # no clock stands still between two lines


@dataclass(slots=True)
class Successor:
    """How a transfer begins as another ends, and what all accounts are thought to hold."""

    turn: Any
    before: tuple[Any, Any]  # what was noted on the row
    balances: dict[str, Any]
    sending: machine.TransferState  # judged before the other has ended

    def forget(self) -> None:
        """Note nothing on the row: it is claimed by itself."""
        self.turn.row.held_before, self.turn.row.good_until = self.before


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
    told: Callable[[], Any]

    def relay(
        self,
        after: machine.TransferState,
        commands: Sequence[Command],
        *,
        judged: Successor | None,
    ) -> Successor | None:
        """Return how the next transfer begins as this one ends; None where it waits.

        What was `judged` before is forgotten.
        """
        if judged is not None:
            judged.forget()
        booked = books_alone(commands, self.part) and self.receipt is not None
        row = self.following() if booked and not self.success(after, commands) else None
        if row is None:
            return None
        turn = type(self)(self.worker, self.run, row, self.steps)
        before = row.held_before, row.good_until
        balances = self.run.held | self.foreseen(after.settled_at)
        sending = self.judged(turn, after, balances)
        if sending is None:
            row.held_before, row.good_until = before
            return None
        return Successor(turn, before, balances, sending)

    def foreseen(self, moment: datetime) -> dict[str, Any]:
        """Return what both accounts of this transfer will hold once it has ended."""
        row, told = self.row, self.told()
        ends = (row.source, -row.amount), (row.target, row.amount)
        return {
            account.pk: entered(
                self.run.held[account.pk], moved, told.get(account.external_id), moment
            )
            for account, moved in ends
        }

    def judged(
        self, turn: Any, after: machine.TransferState, balances: dict[str, Any]
    ) -> machine.TransferState | None:
        """Return the next one about to be sent, if it may be once this is `after`."""
        if not hasattr(balances.get(turn.row.source_id), "leaving"):
            return None  # what leaves its source has not been read
        mine = self.row.__dict__
        known = mine | {}
        mine.update({name: getattr(after, name) for name in KEPT})
        try:
            due = isinstance(turn.first_event(), events.Claim)
        finally:
            mine.update(known)
        return turn.begun(balances, self.a_little_later) if due else None

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

    def hand_on(self, next_: Successor | None, *, written: bool) -> None:
        """Begin the next in the transaction that ended this, if all is as it was judged."""
        if next_ is None:
            return
        if not written:
            next_.forget()
            return
        rows, row = self.world.rows, next_.turn.row
        self.run.held = next_.balances
        try:
            begun = self.as_judged(next_) and rows.save_transfer(row, next_.sending)
        except Busy:
            begun = False
        if not begun:
            next_.forget()
            return
        row.begun = True
        self.world.watch.permits(row, rows.balances[row.source_id].copy())
        same = row.source_id == self.row.source_id
        self.world.stage.note("handed on", row.name, "the same" if same else "another")

    def as_judged(self, next_: Successor) -> bool:
        """Say whether both ends of the next hold what it was judged on."""
        rows, row = self.world.rows, next_.turn.row
        known = next_.balances[row.source_id]
        kept = rows.balance(row.source_id, but=row.pk, begun=True)
        same = (kept.total, kept.available, kept.fetched_at) == (
            known.total,
            known.available,
            known.fetched_at,
        )
        if not same or kept.leaving > known.leaving:
            return False
        filled = row.held_before if row.target.parent_id else None
        same = filled is None or rows.balances[row.target_id].total == filled
        return same and rows.rules[self.run.rule_id].enabled
