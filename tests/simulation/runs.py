"""Carries out runs as `automation.services` does: the same commits, in the same order.

A reading and the plan that rests on it are two commits here, as where they cannot be one:
more may come in between.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from automation import machine
from automation.machine import RunCommand, RunState, events
from automation.machine import run as run_events
from automation.models import Trigger
from automation.rules import Limits, Plan, RuleSpec, plan
from automation.services.driving import TURN, iter_open
from automation.services.planning import verdict
from automation.services.retrying import moved_by, not_yet
from automation.services.rows import KEPT, part_of, run_state, run_step
from automation.services.terms import holding
from providers.errors import ProviderError

from .bank import MAIN
from .database import Busy
from .network import DEADLINE, TICK
from .stage import START, Process
from .transfers import transfer

Steps = Generator[float, None, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """What was decided for a run, and what follows."""

    after: RunState
    commands: Sequence[RunCommand]
    rows: list[Any]
    readings: list[dict[str, Any]]
    retry: bool  # something is short


class Worker:
    """One task in a process of its own; `token` is the one it read with its rows."""

    def __init__(self, world: Any, process: Process) -> None:
        self.world, self.process = world, process
        self.token = world.rows.connection.token

    # -- tasks

    def execute_run(self, pk: str) -> Steps:
        """Carry out a run as far as it goes now, and queue those that waited for it."""
        yield TICK
        run = self.world.rows.load(pk)
        steps: list[Any] | None = None
        commands = yield from self.claim(run)
        while commands:
            if RunCommand.PLAN in commands:
                commands, steps = yield from self.plan_run(run)
            elif RunCommand.DRIVE in commands:
                steps = self.steps_of(run) if steps is None else steps
                more = yield from self.drive(run, steps)
                yield from self.conclude(run, steps, more=more)
                break
            else:
                break
        yield TICK
        for other in self.world.rows.wake(run):
            self.world.queue.publish("execute_run", other)

    def steps_of(self, run: Any) -> list[Any]:
        """Return the transfers of `run`, and let it know what they go to holds."""
        rows = self.world.rows
        steps = rows.steps_of(run)
        run.held = {row.target_id: rows.balances[row.target_id].copy() for row in steps}
        return steps

    def reread(self, pk: object) -> Steps:
        """Ask once more what came of a transfer that waits for a person."""
        yield TICK
        run = self.world.rows.load(self.world.rows.transfers[pk].run_id)
        steps = self.steps_of(run)
        mine = next(step for step in steps if step.pk == pk)
        if mine.needs_person:
            yield from self.world.parts.drive(self, run, mine, steps).go()
        yield from self.conclude(run, steps)

    def dispatch(self, occurrence: Any) -> Steps:
        """Start the run of an occurrence, and queue it."""
        yield TICK
        rule = self.world.rows.rules[occurrence.rule]
        pk = self.world.rows.create_run(
            rule, occurrence.key, occurrence.kind, occurrence.at
        )
        occurrence.started = True
        yield TICK
        self.world.queue.publish("execute_run", pk)

    # -- runs

    def apply(self, run: Any, event: machine.RunEvent) -> Steps:
        """Return the commands that follow; None if somebody else was faster."""
        before = run_state(run)
        after, commands = machine.step(before, event, self.world.now)
        if after is before and not commands:
            return ()
        yield TICK
        success = RunCommand.SUCCEED in commands
        kept = self.world.rows.save_run(run, after, success=success)
        if kept and success:
            self.world.watch.succeeds(run)
        return commands if kept else None

    def claim(self, run: Any) -> Steps:
        """Take `run`, or give it up for good: with its transfers, all or nothing."""
        state = run_state(run)
        held = self.world.rows.waits_for(run)
        after, commands = machine.step(state, run_events.Claim(held), self.world.now)
        if after is state and not commands:
            return ()
        given_up = RunCommand.QUARANTINE in commands
        if given_up:
            yield from self.alone()
        else:
            yield TICK
        if not self.world.rows.save_run(run, after):
            return ()
        if given_up:
            self.quarantine(run)
        return commands

    def drive(self, run: Any, steps: list[Any]) -> Steps:
        """Take the transfers further, one at a time; True if time ended the turn."""
        ends = self.world.now + timedelta(seconds=TURN)
        for row in iter_open(steps):
            if self.world.now >= ends and not row.begun:
                return True
            turn = self.world.parts.drive(self, run, row, steps)
            turn.following = partial(self.after, row, steps, ends)
            if (yield from self.apply(run, run_events.Renew())) is None:
                yield from turn.let_go()
                break
            yield from turn.go()
            if turn.added is not None:
                steps.append(turn.added)
            if run_step(row, steps).open and self.world.parts.in_order:
                break
        return False

    def after(self, row: Any, steps: list[Any], ends: datetime) -> Any:
        """Return the transfer to be made after `row`, if the turn does not end before."""
        if self.world.now >= ends:
            return None
        return next((step for step in iter_open(steps) if step is not row), None)

    def conclude(self, run: Any, steps: Sequence[Any], *, more: bool = False) -> Steps:
        """Say how `run` ended, or when it is looked at again."""
        progress = run_events.Progress([run_step(row, steps) for row in steps], more)
        yield from self.apply(run, progress)

    def quarantine(self, run: Any) -> None:
        """Send nothing more of `run`: in the transaction that says so."""
        steps, rows = self.world.rows.steps_of(run), self.world.rows
        for row in steps:
            state = rows.transfer_state(row, part_of(row, steps))
            after, _ = machine.step(state, events.Quarantine(), self.world.now)
            if after is not state:
                rows.save_transfer(row, after)

    # -- plans

    def plan_run(self, run: Any) -> Steps:
        """Read, decide, and commit all transfers with frozen amounts in one transaction."""
        if why := held_back(run, self.world):
            return (yield from self.apply(run, why)) or (), []
        yield from self.sync()
        return (yield from self.commit_plan(run))

    def commit_plan(self, run: Any) -> Steps:
        """Decide and write, as often as it takes until a transaction is not ended."""
        while (done := (yield from self.write_plan(run, at_once=True))) is None:
            pass
        return done

    def write_plan(self, run: Any, *, at_once: bool) -> Steps:
        """Decide and write under the lock; None if the transaction was ended."""
        yield from self.world.rows.lock(self.process)
        drafted = self.draft(run, at_once=at_once)
        yield TICK
        if not self.world.rows.unlock(self.process):
            return None
        try:
            self.admit(run, drafted)
        except Busy:
            return (yield from self.write_plan(run, at_once=False))
        return self.keep(run, drafted)

    def draft(self, run: Any, *, at_once: bool) -> Draft:
        """Decide on what is held now; nothing of it is written yet."""
        now, decided = self.world.now, self.decide(run)
        after, commands = machine.step(run_state(run), verdict(run, decided), now)
        rows = list(self.transfers(run, after)) if RunCommand.DRIVE in commands else []
        if at_once and rows:
            self.begin(run, rows)
        return Draft(after, commands, rows, readings(decided), decided.retry)

    def admit(self, run: Any, drafted: Draft) -> None:
        """Raise Busy if what is to be written may not stand beside what is there."""
        if self.world.rows.unchanged(run):
            self.world.rows.admit(drafted.rows)

    def keep(self, run: Any, drafted: Draft) -> tuple[Sequence[RunCommand], list[Any]]:
        """Write a plan, unless another worker has taken the run meanwhile."""
        rows = self.world.rows
        if not rows.save_run(run, drafted.after, readings=drafted.readings):
            return (), []
        rows.create_transfers(drafted.rows)
        if drafted.retry and drafted.after.status == run_events.Status.PLANNED:
            rows.create_retry(run)
        return drafted.commands, drafted.rows

    def begin(self, run: Any, rows: Sequence[Any]) -> None:
        """Claim the first transfer on the plan's own readings, if they are live."""
        row = rows[0]
        turn = self.world.parts.drive(self, run, row, rows)
        held = turn.read(begun=False)
        if sending := turn.begun(held, self.world.now):
            row.__dict__.update({name: getattr(sending, name) for name in KEPT})
            row.begun = True
            self.world.watch.permits(row, held[row.source_id])

    def decide(self, run: Any) -> Plan:
        """Return the plan for what is held now."""
        now, rows, rule = self.world.now, self.world.rows, run.rule
        held = {}
        for leg in rule.spec.legs:
            account = rows.accounts[leg.account].copy()
            account.balance = known = rows.balance(leg.account)
            held[leg.account] = holding(account, now, reserved=known.leaving)
            run.held[leg.account] = known
        before = moved_by(rows.parts_before(run))
        return plan(self.spec(rule), held, now=now, before=before)

    def spec(self, rule: Any) -> RuleSpec:
        """Return what `rule` says, and what it moved today."""
        spec, limit = rule.spec, rule.spec.limits.per_day
        if limit is None:
            return spec
        words = {name: getattr(spec, name) for name in RuleSpec.__dataclass_fields__}
        words["limits"] = Limits(per_day=limit, spent_today=self.moved(rule))
        return RuleSpec(**words)

    def moved(self, rule: Any) -> int:
        total = 0
        for pk, steps in self.world.rows.steps.items():
            if self.world.rows.runs[pk].rule_id != rule.pk:
                continue
            for row in steps:
                gone = row.settled_at is None or row.status == "done"
                if gone and row.step == 0:
                    total += row.amount
        return total

    def transfers(self, run: Any, planned: RunState) -> Iterator[Any]:
        """Yield one row per provider call; a second step waits for the first."""
        accounts = self.world.rows.accounts
        expires = self.world.now + timedelta(seconds=run.rule.plan_ttl_seconds)
        for number, move in enumerate(planned.moves):
            places = [move.source, move.target]
            if MAIN not in places:
                places.insert(1, MAIN)
            before = None
            for step in range(len(places) - 1):
                ends = accounts[places[step]], accounts[places[step + 1]]
                row = transfer(run, number, step, *ends, move.amount)
                row.depends_on_id = before.pk if before else None
                row.expires_at = expires
                yield row
                before = row

    # -- readings

    def sync(self) -> Steps:
        """Read every account and record it, unless something newer is known."""
        world, bank = self.world, self.world.bank
        asked, told = world.now, {}
        names = list(world.rows.accounts)
        apart = bank.traits.reads_apart
        try:
            for some in (names[:1], names[1:]) if apart else (names,):
                told |= yield from world.network.call(
                    self, lambda some=some: bank.read(some)
                )
        except ProviderError as error:
            world.stage.note("unread", error.code)
            return
        fetched = self.heard_at(asked)
        yield from self.alone()
        for name, held in told.items():
            record(world.rows.balances[name], held, asked, fetched)
        world.rows.named |= bank.names_ids()
        world.stage.note("read", *told.values())

    def alone(self) -> Steps:
        """Wait until nobody else has the connection, for as long as a transaction takes."""
        rows = self.world.rows
        while True:
            yield from rows.lock(self.process)
            yield TICK
            if rows.unlock(self.process):
                break

    def heard_at(self, asked: datetime) -> datetime:
        """Return when the last answer came; this may have waited for its turn since.

        Nobody waits longer than the deadline: who hears it later was held up.
        """
        heard = self.process.heard
        at = self.world.now if heard is None else START + timedelta(seconds=heard)
        return min(at, self.world.now, asked + timedelta(seconds=DEADLINE))


def record(known: Any, held: int, asked: Any, fetched: Any) -> None:
    """Keep a reading; between sources the later to be heard counts."""
    if known.source == "live":
        if asked < known.as_of:
            return
    elif asked < max(known.as_of, known.fetched_at):
        return
    known.total = known.available = held
    known.as_of, known.fetched_at, known.source = asked, fetched, "live"


def held_back(run: Any, world: Any) -> run_events.Planned | None:
    rule, parts = run.rule, world.rows.parts_before(run)
    if not rule.enabled:
        return run_events.Planned("skipped_disabled", "This rule is disabled")
    if why_not := not_yet(parts):
        return why_not
    done = world.rows.last_success(rule, parts)
    if run.trigger_kind in Trigger.BY_HAND or done is None:
        return None
    if world.now >= done + timedelta(seconds=rule.cooldown_seconds):
        return None
    return run_events.Planned("skipped_not_due", "Cooling down")


def readings(decided: Plan) -> list[dict[str, Any]]:
    return [
        {"account": held.account, "available": {"minor": str(held.available)}}
        for held in decided.readings
        if held.available is not None
    ]
