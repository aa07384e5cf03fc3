"""Runs of different connections, side by side: each step asks the database once for all.

On a payday hundreds of rules are due in the same minute. One by one, each would wait for
its own bank and pay for every statement alone. Here they are read, planned and sent at the
same time, and the same statements write their rows. What is written is what each would
have written by itself: a worker that dies leaves several runs where it would have left
one, and each of them is recovered alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError

from accounts.models import Connection, SyncRun
from accounts.services import call_each, steadily, sync_each
from automation.machine import Event, RunCommand
from automation.machine import run as events
from automation.models import RuleLeg, RuleRun, Transfer

from .compiled import padded
from .driving import TURN, iter_open
from .facts import connections, plain
from .planning import Outcome, commit_plan, held_back, plan_run, write_plans
from .rows import RUN, TRANSFER, busy, finish_all, follow, run_step, take
from .runs import LEGS, conclude, know_legs, load_all, tell_end
from .sending import LATE, Drive
from .succeeding import Ending
from .switches import held_up

log = structlog.get_logger("automation.runs")
TOGETHER = 20  # runs: a worker that dies keeps as many waiting for their leases to end
PLAN = (RunCommand.PLAN,)
NOTHING: Outcome = (), []  # another worker has the run
Change = tuple[RuleRun, Mapping[str, Any]]  # a run, and what is to be written to it


def execute_runs(ids: Iterable[UUID | str]) -> tuple[list[RuleRun], list[UUID]]:
    """Carry out runs side by side; return them, and the ids of those to go on with alone.

    Safe to repeat, and from many workers. Alone go those that wait for others, whose
    connection another one has, that mean more accounts than they name, that a worker
    never came back from, and that have further transfers to make.
    """
    runs = in_turn([UUID(str(each)) for each in ids])
    mine = abreast(runs)
    alone = [run.pk for run in runs if run.pk not in mine]
    begun = claim_all(mine.values())
    for some in as_read(begun):
        planned = commit_plans(some)
        send_all([(run, planned[run.pk][1]) for run in some if run.pk in planned])
        for run in some:
            commands, steps = planned.get(run.pk, NOTHING)
            if RunCommand.DRIVE in commands and rest(run, steps):
                alone.append(run.pk)
            tell_end(run)
    return begun, alone


def in_turn(ids: Sequence[UUID]) -> list[RuleRun]:
    """Return the runs of `ids` in that order, each with its rule and the rule's legs."""
    found = {run.pk: run for run in load_all(ids)} if ids else {}
    if not found:
        return []
    legs: dict[UUID, list[RuleLeg]] = {run.rule_id: [] for run in found.values()}
    for leg in LEGS(padded(legs)):
        legs[leg.rule_id].append(leg)
    for run in found.values():
        know_legs(run.rule, legs[run.rule_id])
    return [found[pk] for pk in dict.fromkeys(ids) if pk in found]


def abreast(runs: Iterable[RuleRun]) -> dict[UUID, Change]:
    """Return those of `runs` that share nothing and may begin now, with their claims.

    None waits for another. What a worker never came back from goes alone: should it
    kill each that takes it, no other run is hit again.
    """
    found: dict[UUID, Change] = {}
    taken: set[UUID] = set()
    for run in runs:
        touched = {row.pk for row in connections(run.rule)}
        if not touched or touched & taken or not independent(run):
            continue
        next_ = follow(run, events.Claim(held_up(run)))
        if tuple(next_.commands) == PLAN:
            found[run.pk] = run, next_.fields or {}
            taken |= touched
    return found


def independent(run: RuleRun) -> bool:
    """Say whether `run` begins for the first time, on accounts that its rule names."""
    fresh = run.status == RuleRun.Status.DUE and run.attempts == 0
    return fresh and not run.depends and not run.behind and plain(run.rule)


def claim_all(changes: Collection[Change]) -> list[RuleRun]:
    """Take those runs that nobody else has taken meanwhile."""
    written = RUN.all_of(changes)
    mine = [(run, fields) for run, fields in changes if run.pk in written]
    for run, fields in mine:
        take(run, fields)
    return [run for run, _ in mine]


def as_read(runs: Iterable[RuleRun]) -> Iterator[list[RuleRun]]:
    """Yield runs as soon as their banks were read: none waits for the slowest of all.

    Those that must not be planned are ended here. A turn that lasts too long is given
    up: whoever finds a lease that is over goes on.
    """
    ends, left = monotonic() + TURN, dict[UUID, RuleRun]()
    for run in runs:
        if held_back(run):
            plan_run(run)
            tell_end(run)
        else:
            left[run.pk] = run
    touched = {pk: in_use(run) for pk, run in left.items()}
    asked = {row.pk: row for rows in touched.values() for row in rows}
    heard: set[UUID] = set()
    # The network is asked before a transaction opens, never inside it.
    for read in sync_each(asked.values(), SyncRun.Kind.PRE_AUTOMATION):
        heard |= {each.connection_id for each in read}
        if monotonic() >= ends:
            log.warning("turn_over", runs=len(left))
            return
        ready = [pk for pk in left if all(row.pk in heard for row in touched[pk])]
        if ready:
            yield [left.pop(pk) for pk in ready]
    if left:  # nothing of theirs is read any more
        yield list(left.values())


def in_use(run: RuleRun) -> list[Connection]:
    return [row for row in connections(run.rule) if row.archived_at is None]


def commit_plans(runs: Sequence[RuleRun]) -> dict[UUID, Outcome]:
    """Decide and write; one by one where an account is not free."""
    try:
        return steadily(lambda: write_plans(runs, at_once=True))
    except IntegrityError as error:
        if not busy(error):
            raise
    return {run.pk: steadily(partial(commit_plan, run)) for run in runs}


def send_all(begun: Iterable[tuple[RuleRun, list[Transfer]]]) -> None:
    """Send the first transfer of each run that was claimed with its plan."""
    turns = [Drive(run, steps[0], steps) for run, steps in begun if steps]
    turns = [turn for turn in turns if turn.row.begun]
    jobs = []
    for turn in turns:
        turn.row.begun = False
        jobs.append((turn, turn.order()))
    settle([(turn, LATE) for turn, order in jobs if order is None])
    asked = [(turn, order) for turn, order in jobs if order is not None]
    for chunk in call_each([order for _, order in asked]):
        heard = [(asked[place][0], answer) for place, answer in chunk]
        settle([(turn, turn.heard(answer)) for turn, answer in heard])


def settle(turns: Sequence[tuple[Drive, Event]]) -> None:
    """Write what was heard: at once for all runs that succeed with it, else one by one."""
    ends = [(turn, end) for turn, event in turns if (end := turn.ending(event))]
    for alike in ends_alike(ends):
        written = steadily(partial(finish_all, [end for _, end in alike]))
        for turn in [turn for turn, _ in alike if turn.row.pk in written]:
            turn.run.moved = True
            turn.tell()
    over = {turn.row.pk for turn, _ in ends}
    for turn, event in [each for each in turns if each[0].row.pk not in over]:
        turn.go_on(event)
        if turn.added is not None:
            turn.steps.append(turn.added)


def ends_alike(
    ends: Iterable[tuple[Drive, Ending]],
) -> Iterator[list[tuple[Drive, Ending]]]:
    """Yield `ends` in groups of which each takes one statement."""
    groups: dict[object, list[tuple[Drive, Ending]]] = {}
    for turn, end in ends:
        kind = TRANSFER.kind(end.row, end.fields), RUN.kind(end.run, end.more)
        groups.setdefault(kind, []).append((turn, end))
    yield from groups.values()


def rest(run: RuleRun, steps: list[Transfer]) -> bool:
    """Say how `run` ended, or when it is looked at again; return whether that is now."""
    tried = steps[0].status != Transfer.Status.PENDING or steps[0].attempts > 0
    stuck = tried and run_step(steps[0], steps).open
    more = not stuck and any(True for _ in iter_open(steps))
    conclude(run, steps, more=more)
    return more
