"""Runs: started once per key, carried out by whoever comes, as often as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists
from django.utils.timezone import now

from accounts.services import audit
from automation.machine import RunCommand
from automation.machine import events as transfer_events
from automation.machine import run as events
from automation.models import Rule, RuleRun, Transfer, Trigger
from automation.rules import Plan
from automation.rules.identity import LONGEST_KEY, digest

from .compiled import Compiled, padded
from .driving import drive
from .findings import doubted, strange_to_runs
from .line import in_line, waits_for
from .locks import hold
from .planning import legs_with_accounts, plan_run
from .plans import note, plan_data
from .rows import RUN, apply, run_step
from .sending import Drive
from .switches import held_up

log = structlog.get_logger("automation.runs")


def start_run(
    rule: Rule,
    key: str,
    *,
    trigger_kind: str,
    trigger: Trigger | None = None,
    requested_by=None,
    scheduled_for: datetime | None = None,
    seen: Plan | None = None,
    **more: object,
) -> tuple[RuleRun, bool]:
    """Return the run of `rule` under `key`, and whether this call created it.

    `seen` is the plan that somebody looked at and wants: that one or none. `more` are
    further columns of a run that is created.
    """
    told = {
        "trigger_kind": trigger_kind,
        "trigger": trigger,
        "requested_by": requested_by,
        "scheduled_for": scheduled_for or now(),
        **(wanted(seen, requested_by) if seen else {}),
        **more,
    }
    made = partial(
        RuleRun.objects.get_or_create, rule=rule, key=fitting(key), defaults=told
    )
    return asked_for(rule, made) if trigger_kind in Trigger.BY_HAND else made()


def asked_for(
    rule: Rule, make: Callable[[], tuple[RuleRun, bool]]
) -> tuple[RuleRun, bool]:
    """Make a run that somebody asks for, and write that down with it."""
    with transaction.atomic():
        run, created = make()
        if created:
            told = {"rule": rule.pk, "key": run.key, "plan_hash": run.wanted_hash}
            where = rule.workspace_id
            audit("run.requested", run, workspace=where, new=told, kind="run")
    return run, created


def wanted(seen: Plan, user: Any) -> dict[str, Any]:
    """Return a plan that was seen as the columns of a run that it was approved for."""
    told = plan_data(seen)
    return {
        "wanted_hash": seen.plan_hash,
        "plan_hash": seen.plan_hash,
        "approved_at": now(),
        "approved_by": user,
        **{name: told[name] for name in ("moves", "readings")},
        "trace": [note("approved", f"This plan was asked for: {seen.reason}")],
    }


def fitting(key: str) -> str:
    """Return `key`, or a digest of it that fits the column."""
    if 0 < len(key) <= LONGEST_KEY:
        return key
    return digest(key)


def load(run_id: UUID | str) -> RuleRun:
    """Return a run with its rule; raises RuleRun.DoesNotExist."""
    found = load_all([UUID(str(run_id))])
    if not found:
        raise RuleRun.DoesNotExist(f"There is no run {run_id}")
    return found[0]


def load_all(ids: Iterable[UUID]) -> list[RuleRun]:
    """Return the runs that there are of `ids`, each with its rule, in any order."""
    return list(LOADED(padded(ids), now()))


LOADED = Compiled(
    lambda runs, moment: (
        in_line(RuleRun.objects.select_related("rule__workspace"), moment)
        .annotate(strange=Exists(strange_to_runs()))
        .filter(pk__in=runs)
        .order_by()
    )
)
LEGS = Compiled(lambda rules: legs_with_accounts().filter(rule__in=rules))


def transfers_of(run: RuleRun) -> list[Transfer]:
    """Return all transfers of `run` in order, with what sending them needs."""
    rows = run.transfers.select_related(
        "source__connection",
        "source__parent",
        "target__parent",
        "target__balance",
        "run",
    )
    return list(rows.order_by("move", "step"))


def execute_run(run_id: UUID | str) -> RuleRun:
    """Carry out one run as far as it goes now. Safe to repeat, and from many workers."""
    run = load(run_id)
    commands = claim(run)
    steps: list[Transfer] | None = None
    while commands:
        if RunCommand.PLAN in commands:
            commands, steps = plan_run(run)
        elif RunCommand.DRIVE in commands:
            steps = transfers_of(run) if steps is None else steps
            commands = conclude(run, steps, more=drive(run, steps))
        else:
            break
    tell_end(run)
    return run


def tell_end(run: RuleRun) -> None:
    """Log how `run` ended, if it has."""
    if run.finished_at is not None:
        log.info(f"run_{run.status}", run=str(run.pk), reason=run.reason)


def claim(run: RuleRun) -> Sequence[RunCommand]:
    """Take `run`, if it is free; one that is given up takes its transfers with it.

    Both are written or neither: nobody would look again at what a quarantined run left.
    """
    event = events.Claim(held_up(run) or doubted(run) or waits_for(run))
    if run.attempts < events.ATTEMPTS:
        return apply(run, event, write=take_on) or ()
    with transaction.atomic():
        hold(run.transfers.order_by().values("source__connection"))
        commands = apply(run, event) or ()
        if RunCommand.QUARANTINE in commands:
            quarantine(run)
    return commands


def take_on(run: RuleRun, fields: dict[str, Any]) -> bool:
    """Write `fields`, and read what a run needs that goes on: the legs of its rule."""
    found = RUN.finding(run, fields, LEGS, (run.rule_id,))
    if found is not None:
        run.rule.know(found)
    return found is not None


def conclude(
    run: RuleRun, steps: Sequence[Transfer], *, more: bool = False
) -> Sequence[RunCommand]:
    """Say how `run` ended, or when it is looked at again."""
    if run.status == RuleRun.Status.SUCCEEDED:
        return ()  # as its last transfer did
    progress = events.Progress([run_step(row, steps) for row in steps], more)
    apply(run, progress)
    return ()


def quarantine(run: RuleRun) -> None:
    """Send nothing more of `run`, and let a person look at what is unclear."""
    log.critical("run_quarantined", run=str(run.pk), reason=run.reason)
    steps = transfers_of(run)
    for row in steps:
        turn = Drive(run, row, steps)
        if turn.in_vain():
            turn.apply(transfer_events.DependencyFailed())
        turn.apply(transfer_events.Quarantine())


def reread(transfer_id: UUID | str) -> RuleRun:
    """Ask once more what came of a transfer that waits for a person; return its run.

    One that waits for nobody is carried on by its run, which ended too early.
    """
    run = load(RuleRun.objects.get(transfers=transfer_id).pk)
    steps = transfers_of(run)
    mine = next(step for step in steps if str(step.pk) == str(transfer_id))
    if mine.needs_person:
        Drive(run, mine, steps).go()
    conclude(run, steps)
    return run
