"""Sends one transfer as `automation.services.sending` does: the same commits, in order.

What decides is the product's own: the machine, and the pure parts of its services.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import timedelta
from typing import Any

from automation import machine
from automation.machine import Command, Part, events
from automation.machine.events import SKEW
from automation.machine.recovery import Wanted, recognise
from automation.models import Transfer
from automation.rules import dedupe_id
from automation.rules.draft import LIVE_SECONDS
from automation.services.asking import ASK_SINCE, failure
from automation.services.funds import afford, allowed, good_until
from automation.services.rows import part_of, success
from automation.services.sending import PROMPT, books_alone, evidence, latest
from automation.services.terms import age
from providers.errors import OutcomeUnknown, ProviderError, Refused

from .database import Busy, Row, columns
from .network import TICK
from .relay import Relay
from .story import INSTALLATION

Steps = Generator[float, None, Any]
TRANSFER = columns(Transfer)
ASKED = (Command.ASK, Command.CHECK, Command.SEND)


class Drive(Relay):
    """Takes one transfer of a run as far as it goes now."""

    def __init__(self, worker: Any, run: Any, row: Any, steps: Sequence[Any]) -> None:
        self.worker, self.world = worker, worker.world
        self.run, self.row, self.steps = run, row, steps
        self.part = part_of(row, steps)
        self.before = next((s for s in steps if s.pk == row.depends_on_id), None)
        self.added: Any = None
        self.receipt: Any = None
        self.following: Callable[[], Any] = lambda: None

    def go(self) -> Steps:
        begun, self.row.begun = self.row.begun, False
        if begun:
            commands: Sequence[Command] = [Command.SEND]
        else:
            commands = yield from self.apply(self.first_event())
        yield from self.do(commands)

    def go_on(self, event: machine.Event) -> Steps:
        """Do what follows from `event` until the transfer rests."""
        yield from self.do((yield from self.apply(event)))

    def do(self, commands: Sequence[Command]) -> Steps:
        while commands:
            if commands[0] not in ASKED:
                return
            event = yield from self.ask_for(commands[0])
            commands = yield from self.apply(event)

    def ask_for(self, command: Command) -> Steps:
        if command == Command.ASK:
            return (yield from self.ask())
        if command == Command.CHECK:
            return (yield from self.check())
        return (yield from self.send())

    def let_go(self) -> Steps:
        """Leave to others what was claimed here and never sent."""
        begun, self.row.begun = self.row.begun, False
        if begun:
            late = events.NotSent("run_taken", "Another worker has the run")
            yield from self.apply(late)

    def first_event(self) -> machine.Event | None:
        row, before = self.row, self.before
        if row.status != "pending":
            return events.Claim()
        if before is not None and self.part == Part.SECOND:
            if before.settled_at is None:
                return None
            if before.status != "done":
                return events.DependencyFailed()
        late = row.expires_at is not None and row.expires_at <= self.world.now
        return events.Expire() if late else events.Claim()

    # -- what is committed

    def apply(self, event: machine.Event | None) -> Steps:
        """Return what is left to do after `event`; nothing if somebody was faster."""
        if event is None:
            return ()
        before = self.world.rows.transfer_state(self.row, self.part)
        after, commands = machine.step(before, event, self.world.now)
        if after is before:
            return commands
        if not (yield from self.commit(after, commands)):
            return ()
        return [c for c in commands if c in ASKED]

    def commit(
        self, after: machine.TransferState, commands: Sequence[Command]
    ) -> Steps:
        """Write the new state and what belongs to it, all or nothing."""
        rows, process = self.world.rows, self.worker.process
        alone = Command.BOOK in commands or (
            after.needs_person and not self.row.needs_person
        )
        next_ = None
        while True:
            next_ = self.relay(after, commands, judged=next_)
            if alone:
                yield from rows.lock(process)
            yield TICK
            if not alone or rows.unlock(process):
                break
        ended = self.success(after, commands)
        try:
            written = self.write(after, commands, ended)
        except Busy:
            yield from self.apply(events.Busy())
            return False
        self.hand_on(next_, written=written)
        return written

    def write(
        self,
        after: machine.TransferState,
        commands: Sequence[Command],
        ended: machine.RunState | None,
    ) -> bool:
        """Write a transfer and, if it ends, its run; raises Busy, with nothing written."""
        rows = self.world.rows
        if not rows.save_transfer(self.row, after):
            return False
        self.enter(commands)
        if ended and rows.save_run(self.run, ended, success=True):
            self.world.watch.succeeds(self.run)
        return True

    def success(
        self, after: machine.TransferState, commands: Sequence[Command]
    ) -> machine.RunState | None:
        """Return what the run becomes if it succeeds with this transfer."""
        if not books_alone(commands, self.part):
            return None
        return success(self.run, self.row, after, self.steps, self.world.now)

    def enter(self, commands: Sequence[Command]) -> None:
        """Write what belongs to the same moment as the new state."""
        if Command.BOOK in commands:
            self.book()
        if Command.COMPENSATE in commands:
            self.compensate()
        if Command.FREEZE in commands:
            self.world.rows.rules[self.run.rule_id].enabled = False
            self.world.frozen = True

    def book(self) -> None:
        """Enter both balances; `booking.ENTER` says the same to the database."""
        row, balances, told = self.row, self.world.rows.balances, self.told()
        for account, by in ((row.source, -row.amount), (row.target, row.amount)):
            said = told.get(account.external_id)
            if said is None and self.world.rows.unread(account.pk, but=row.pk):
                continue
            enter(balances[account.pk], account.pk, row, said, by)
        if self.part == Part.BACK and self.before is not None:
            self.reverse()

    def told(self) -> dict[str, int]:
        """Return what the bank said that pots hold, if that was heard at once."""
        prompt = self.row.sent_at and self.world.now <= self.row.sent_at + PROMPT
        return self.receipt.balances if self.receipt and prompt else {}

    def reverse(self) -> None:
        """Mark a first step whose money was brought back."""
        rows, first = self.world.rows, self.before
        before = rows.transfer_state(first, Part.FIRST)
        after, _ = machine.step(before, events.BroughtBack(), self.world.now)
        if after is not before:
            rows.save_transfer(first, after)

    def compensate(self) -> None:
        """Commit the one transfer that brings the money back to the first pot."""
        first, row, run = self.before, self.row, self.run
        if first is None:
            return
        life = timedelta(seconds=run.rule.plan_ttl_seconds)
        self.added = transfer(
            run, row.move, 2, first.target, first.source, first.amount
        )
        self.added.depends_on_id = first.pk
        self.added.expires_at = self.world.now + life
        self.world.rows.create_transfers([self.added])

    # -- what goes over the network

    def ask(self) -> Steps:
        """Recognise an earlier attempt in the bank's ledger, if it is there."""
        row, bank = self.row, self.world.bank
        ends = row.source.external_id, row.target.external_id
        try:
            told = yield from self.world.network.call(
                self.worker, lambda: bank.between(*ends)
            )
        except ProviderError as error:
            return failure(events.AskFailed, error)
        first = row.first_sent_at
        entries = [entry for entry in told if entry.created >= first - ASK_SINCE]
        event = recognise(entries, self.wanted(entries, first - SKEW))
        self.world.stage.note("asked", row.name, type(event).__name__)
        return self.not_found() if isinstance(event, events.NotFound) else event

    def wanted(self, entries: Sequence[Any], since: Any) -> Wanted:
        """Return what is looked for, and who else may have made an entry like it."""
        row, rows = self.row, self.world.rows
        others = [
            other
            for other in rows.transfers.values()
            if (other.source_id, other.target_id) == (row.source_id, row.target_id)
            and other.pk != row.pk
        ]
        told = {entry.reference for entry in entries}
        rivals = [
            other
            for other in others
            if other.amount == row.amount
            and other.reference not in told
            and maybe_moved(other, since)
        ]
        claimed = frozenset(o.reference for o in others if o.reference in told)
        return Wanted(
            str(self.name()),
            row.amount,
            row.asset,
            since,
            named=rows.named,
            claimed=claimed,
            rivals=len(rivals),
        )

    def not_found(self) -> machine.Event:
        return events.NotFound()

    def send(self) -> Steps:
        row, bank = self.row, self.world.bank
        until = latest(row)
        if until is None or self.world.now >= until:
            return events.NotSent("too_late", "The worker was held up")
        name, amount = self.name(), self.amount()
        self.world.watch.sends(self, name, amount)
        self.world.names[name] = row.pk
        ends = row.source.external_id, row.target.external_id
        try:
            self.receipt = yield from self.world.network.call(
                self.worker,
                lambda: bank.order(name, *ends, amount),
                moves=True,
                until=until,
            )
        except ProviderError as error:
            self.world.watch.failed(row, error)
            return self.heard(error)
        return events.Answered(evidence(row, self.receipt))

    def heard(self, error: ProviderError) -> machine.Event:
        if isinstance(error, Refused):
            return failure(events.Refused, error)
        if isinstance(error, OutcomeUnknown):
            return failure(events.Lost, error)
        return failure(events.NotSent, error)

    def name(self) -> object:
        """Return the id that the bank is told."""
        return self.row.pk

    def amount(self) -> int:
        return int(self.row.amount)

    # -- whether the source can pay

    def check(self) -> Steps:
        event, young = self.judge(only_young=True)
        if young and isinstance(event, events.Affordable):
            return event
        yield from self.worker.sync()
        return self.judge()[0]

    def judge(self, *, only_young: bool = False) -> tuple[machine.Event | None, bool]:
        """Return what the known balances say, and whether they are young."""
        row, balances = self.row, self.read()
        if only_young and age(balances[row.source_id], self.world.now) > LIVE_SECONDS:
            return None, False
        event = self.weigh(balances)
        if isinstance(event, events.Affordable):
            self.world.watch.permits(row, balances[row.source_id])
        return event, not isinstance(event, events.Unreadable)

    def read(self, *, begun: bool = True) -> dict[str, Any]:
        """Return both balances as they are now, which the run then knows.

        Without what other runs have planned if only what is `begun` leaves an account.
        """
        row, rows = self.row, self.world.rows
        pair = (row.source_id, row.target_id)
        found = {name: rows.balance(name, but=row.pk, begun=begun) for name in pair}
        self.run.held |= found
        return found

    def weigh(self, balances: dict[str, Any]) -> machine.Event:
        """Return what these balances say, and note what the pot holds."""
        row = self.row
        self.remember(balances)
        row.good_until = good_until(row, balances, self.allowed())
        if age(balances[row.source_id], self.world.now) > self.allowed():
            return events.Unreadable("stale_balance", "The reading is old")
        return afford(self.run, row, balances, drop=0)

    def allowed(self) -> int:
        return allowed(self.run.rule, self.row)

    def remember(self, balances: dict[str, Any]) -> None:
        """Keep what the pot held before the first attempt."""
        row = self.row
        if row.may_have_moved:
            return
        pot = row.target if row.target.parent_id else row.source
        known = balances.get(pot.pk)
        young = known is not None and age(known, self.world.now) <= LIVE_SECONDS
        row.held_before = known.total if young else None


def maybe_moved(row: Any, since: Any) -> bool:
    """Say whether the ledger may hold an entry of `row` since then."""
    if row.settled_at is None:
        return row.first_sent_at is not None
    return row.status in ("done", "reversed") and row.settled_at >= since


def enter(known: Any, account: str, row: Any, told: int | None, by: int) -> None:
    """Change a balance, unless a reading may show the move already."""
    moment = row.first_sent_at if told is None else row.settled_at
    if moment is None or known.as_of >= moment:
        return
    if told is None and row.source_id != account and known.fetched_at >= moment:
        return  # it may show the money that came in
    change = by if told is None else told - known.total
    known.total += change
    known.available += change
    known.as_of, known.source = row.settled_at, "cache"
    if told is not None:
        known.fetched_at = row.settled_at


def transfer(
    run: Any, move: int, step: int, source: Any, target: Any, amount: int
) -> Any:
    """Return one provider call as a row, under the name that it has for ever."""
    named = {
        "pk": dedupe_id(INSTALLATION, run.rule_id, run.key, move, step),
        "name": f"{run.pk}/{move}/{step}",
        "run_id": run.pk,
        "move": move,
        "step": step,
        "source": source,
        "source_id": source.pk,
        "target": target,
        "target_id": target.pk,
        "amount": amount,
        "asset": "GBP/2",
        "begun": False,
        "good_until": None,
    }
    return Row(**TRANSFER | named)
