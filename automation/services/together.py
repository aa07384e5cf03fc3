"""Runs of different connections, side by side: each step asks the database once for all.

On a payday hundreds of rules are due in the same minute. One by one, each would wait for
its own bank and pay for every statement alone. Here they are read, planned and sent at the
same time, and the same statements write their rows. What is written is what each would
have written by itself: a worker that dies leaves several runs where it would have left
one, and each of them is recovered alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from uuid import UUID

import structlog
from django.db import DataError, IntegrityError
from django.utils.timezone import now

from accounts.models import Connection, SyncRun
from accounts.services import call_each, grouped, steadily, sync_each
from automation import machine
from automation.machine import RunCommand
from automation.machine import run as events
from automation.models import RuleLeg, RuleRun, Transfer
from providers.base import Receipt
from providers.errors import FAULTS, ProviderError

from .compiled import padded
from .driving import TURN, iter_open
from .facts import connections, plain
from .planning import Outcome, commit_plan, hold_back, write_plans
from .rows import (
    RUN,
    TRANSFER,
    Following,
    apply,
    finish_all,
    follow,
    put_all,
    run_step,
)
from .runs import LEGS, conclude, load_all, tell_end
from .sending import LATE, Drive
from .succeeding import Ending
from .switches import held_up
from .waiting import WAITING

log = structlog.get_logger("automation.runs")
TOGETHER = 20  # runs: a worker that dies keeps as many waiting for their leases to end
PATIENCE = 2.0  # seconds; what was read meanwhile is read again then: see LIVE_SECONDS
PLAN = (RunCommand.PLAN,)
NOTHING: Outcome = (), []  # another worker has the run
# What may go wrong with one run. That the database is away concerns all of them.
BROKEN = (*FAULTS, ProviderError, DataError, IntegrityError)
Answer = Receipt | ProviderError


@dataclass
class Rested:
    """Tells which runs rest for now, the ids of those to go on alone, and what failed."""

    done: list[RuleRun] = field(default_factory=list)
    alone: list[UUID] = field(default_factory=list)
    failed: list[Exception] = field(default_factory=list)

    @contextmanager
    def of(self, run: RuleRun) -> Iterator[None]:
        """Keep what fails for `run` from the others; it is told to who asked for all."""
        try:
            yield
        except BROKEN as error:
            log.exception("run_broken", run=str(run.pk))
            self.failed.append(error)


def execute_runs(ids: Iterable[UUID | str]) -> Iterator[Rested]:
    """Carry out runs side by side, and yield those that rest as soon as they do.

    Safe to repeat, and from many workers. Alone go those that wait for others, whose
    connection another one has, that mean more accounts than they name, that a worker
    never came back from, that there was no time for, and that have further transfers to
    make. A run that cannot be looked at goes alone, too, where that is counted. One that
    is over rests: who waits for it is looked for once more.
    """
    ends = monotonic() + TURN
    runs = in_turn([UUID(str(each)) for each in ids])
    first = Rested()
    mine = abreast(runs, first)
    written = put_all(mine)
    begun = {run.pk: run for run, _ in mine}
    for run in [run for run in runs if run.pk not in begun]:
        if run.finished_at is None:
            first.alone.append(run.pk)
        else:  # its worker may have died before it looked for who waits
            first.done.append(run)
    ready = {pk: run for pk, run in begun.items() if pk in written}
    for run in list(ready.values()):
        if hold_back(run) is not None:
            tell_end(run)
            first.done.append(ready.pop(run.pk))
    yield first
    for some in as_read(ready, ends):
        yield carry_out(some)
    if ready:
        yield give_back(ready.values())


def in_turn(ids: Sequence[UUID]) -> list[RuleRun]:
    """Return the runs of `ids` in that order, each with its rule and the rule's legs."""
    found = {run.pk: run for run in load_all(ids)} if ids else {}
    if not found:
        return []
    legs: dict[UUID, list[RuleLeg]] = {run.rule_id: [] for run in found.values()}
    for leg in LEGS(padded(legs)):
        legs[leg.rule_id].append(leg)
    for run in found.values():
        run.rule.know(legs[run.rule_id])
    return [found[pk] for pk in dict.fromkeys(ids) if pk in found]


def abreast(runs: Iterable[RuleRun], rested: Rested) -> list[tuple[RuleRun, Following]]:
    """Return those of `runs` that share nothing and may begin now, with their claims.

    None waits for another. What a worker never came back from goes alone: should it
    kill each that takes it, no other run is hit again.
    """
    found: list[tuple[RuleRun, Following]] = []
    taken: set[UUID] = set()
    for run in filter(begins, runs):
        with rested.of(run):
            touched = {row.pk for row in connections(run.rule)}
            if not touched or touched & taken or not plain(run.rule):
                continue
            next_ = follow(run, events.Claim(held_up(run)))
            if tuple(next_.commands) == PLAN:
                found.append((run, next_))
                taken |= touched
    return found


def begins(run: RuleRun) -> bool:
    """Say whether `run` begins for the first time, and waits for nothing."""
    fresh = run.status == RuleRun.Status.DUE and run.attempts == 0
    return fresh and not (run.depends or run.behind or run.strange)


def as_read(ready: dict[UUID, RuleRun], ends: float) -> Iterator[list[RuleRun]]:
    """Take runs from `ready` as soon as their banks were read, and yield them.

    None waits for the slowest of all. What was read while those before were carried out
    would be too old by now, if that took long: then the others are read again.
    """
    while ready and monotonic() < ends:
        touched = {pk: in_use(run) for pk, run in ready.items()}
        asked = {row.pk: row for rows in touched.values() for row in rows}
        heard: set[UUID] = set()
        # The network is asked before a transaction opens, never inside it.
        with closing(sync_each(asked.values(), SyncRun.Kind.PRE_AUTOMATION)) as reading:
            for read in reading:
                heard |= {each.connection_id for each in read}
                free = [pk for pk in ready if all(a.pk in heard for a in touched[pk])]
                begun = monotonic()
                if free:
                    yield [ready.pop(pk) for pk in free]
                if monotonic() > begun + PATIENCE:
                    break
            else:
                if ready:  # nothing of theirs is read any more
                    yield [ready.pop(pk) for pk in list(ready)]


def in_use(run: RuleRun) -> list[Connection]:
    return [row for row in connections(run.rule) if row.archived_at is None]


def give_back(runs: Iterable[RuleRun]) -> Rested:
    """Let others take runs that there was no time to begin."""
    rested = Rested()
    for run in runs:
        apply(run, events.GiveBack())
        rested.alone.append(run.pk)
    return rested


def carry_out(runs: Sequence[RuleRun]) -> Rested:
    """Plan runs whose banks were read, send what they begin with, and let them rest."""
    rested = Rested(list(runs))
    planned = commit_plans(runs, rested)
    send_all([(run, planned[run.pk][1]) for run in runs if run.pk in planned], rested)
    for run in runs:
        commands, steps = planned.get(run.pk, NOTHING)
        with rested.of(run):
            if RunCommand.DRIVE in commands and rest(run, steps):
                rested.alone.append(run.pk)
            tell_end(run)
    look_for_waiting(runs)
    return rested


def commit_plans(runs: Sequence[RuleRun], rested: Rested) -> dict[UUID, Outcome]:
    """Decide and write; one by one where one is broken, or an account is not free."""
    try:
        return steadily(lambda: write_plans(runs, at_once=True))
    except BROKEN as error:
        log.info("one_by_one", runs=len(runs), error=str(error))
    found: dict[UUID, Outcome] = {}
    for run in runs:
        with rested.of(run):
            found[run.pk] = steadily(partial(commit_plan, run))
    return found


def send_all(begun: Iterable[tuple[RuleRun, list[Transfer]]], rested: Rested) -> None:
    """Send the first transfer of each run that was claimed with its plan."""
    turns = [Drive(run, steps[0], steps) for run, steps in begun if steps]
    orders, asked = [], []
    for turn in turns:
        if not turn.row.begun:
            continue
        turn.row.begun = False
        if order := turn.order():
            orders.append(order)
            asked.append(turn)
        else:
            with rested.of(turn.run):
                turn.go_on(LATE)
    for chunk in call_each(orders):
        settle([(asked[place], answer) for place, answer in chunk], rested)


def settle(answers: Iterable[tuple[Drive, Answer]], rested: Rested) -> None:
    """Write what was heard: at once for all runs that succeed with it, else one by one."""
    heard: list[tuple[Drive, machine.Event]] = []
    ends: list[tuple[Drive, Ending]] = []
    for turn, answer in answers:
        with rested.of(turn.run):
            event = turn.heard(answer)
            end = turn.ending(event)
            heard.append((turn, event))
            if end is not None:
                ends.append((turn, end))
    over = end_all(ends)
    for turn, event in heard:
        if turn.row.pk in over:
            continue
        with rested.of(turn.run):
            turn.go_on(event)
            if turn.added is not None:
                turn.steps.append(turn.added)


def end_all(ends: Iterable[tuple[Drive, Ending]]) -> set[UUID]:
    """Write `ends`, and return the transfers of which nothing is left to be done."""
    over: set[UUID] = set()
    for alike in grouped(ends, kind_of):
        try:
            written = steadily(partial(finish_all, [end for _, end in alike]))
        except BROKEN as error:
            log.info("one_by_one", runs=len(alike), error=str(error))
            continue
        over |= {turn.row.pk for turn, _ in alike}
        for turn, _ in alike:
            if turn.row.pk in written:
                turn.run.moved = True
                turn.tell()
    return over


def kind_of(ended: tuple[Drive, Ending]) -> Hashable:
    """Return what an end shares with those that the same statement writes."""
    _, end = ended
    return TRANSFER.kind((end.row, end.fields)), RUN.kind((end.run, end.more))


def rest(run: RuleRun, steps: list[Transfer]) -> bool:
    """Say how `run` ended, or when it is looked at again; return whether that is now."""
    tried = steps[0].status != Transfer.Status.PENDING or steps[0].attempts > 0
    stuck = tried and run_step(steps[0], steps).open
    more = not stuck and any(True for _ in iter_open(steps))
    conclude(run, steps, more=more)
    return more


def look_for_waiting(runs: Iterable[RuleRun]) -> None:
    """Ask once who waits for any of those that succeeded; one of them keeps that.

    It is asked when all is committed: who sat down while ends were written is seen.
    """
    ended = [
        run
        for run in runs
        if run.status == RuleRun.Status.SUCCEEDED and run.waiting is None
    ]
    found = list(WAITING(padded(run.pk for run in ended), now())) if ended else []
    for run in ended:
        run.waiting, found = found, []
