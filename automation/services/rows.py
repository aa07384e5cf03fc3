"""Rows to states and back: what is saved only if nobody else was faster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import DatabaseError, IntegrityError
from django.utils.timezone import now

import providers
from automation import machine
from automation.machine import Part, RunState, TransferState
from automation.machine.run import Step
from automation.models import RuleRun, Transfer

KEPT = (
    "status",
    "attempts",
    "may_have_moved",
    "needs_person",
    "verified",
    "first_sent_at",
    "sent_at",
    "next_attempt_at",
    "settled_at",
    "reference",
    "error_code",
    "error",
)
RUN_KEPT = (
    "status",
    "attempts",
    "lease_until",
    "next_attempt_at",
    "finished_at",
    "reason",
)
LONGEST = {"reference": 100, "error_code": 40, "error": 2000}


def part_of(row: Transfer, steps: Sequence[Transfer]) -> Part:
    """Return what `row` is of its move, given all transfers of the run."""
    if row.step:
        return Part.SECOND if row.step == 1 else Part.BACK
    two = any(other.move == row.move and other.step == 1 for other in steps)
    return Part.FIRST if two else Part.ONLY


def horizon(slug: str) -> timedelta:
    """Return how long a provider is trusted to remember a dedupe id."""
    return timedelta(seconds=providers.load(slug).dedupe_horizon)


def transfer_state(row: Transfer, part: Part) -> TransferState:
    return TransferState(
        amount=row.amount,
        asset=row.asset,
        horizon=horizon(row.source.provider),
        part=part,
        expires_at=row.expires_at,
        **{name: getattr(row, name) for name in KEPT},
    )


def save_transfer(row: Transfer, after: TransferState) -> bool:
    """Write `after` unless the row has moved on.

    Raises IntegrityError while another outflow of its source is not settled: see `busy`.
    """
    fields = {name: fit(name, getattr(after, name)) for name in KEPT}
    fields["held_before"] = row.held_before
    ours = Transfer.objects.filter(
        pk=row.pk, status=row.status, attempts=row.attempts, sent_at=row.sent_at
    )
    if ours.update(**fields) != 1:
        return False
    take(row, fields)
    return True


def busy(error: DatabaseError) -> bool:
    """Say whether another outflow of the same account forbade the change."""
    return isinstance(error, IntegrityError) and "one_unsettled_outflow" in str(error)


def run_state(run: RuleRun) -> RunState:
    late = timedelta(seconds=run.rule.max_lateness_seconds)
    known = {name: getattr(run, name) for name in RUN_KEPT}
    return RunState(deadline=run.scheduled_for + late, **known)


def save_run(run: RuleRun, after: RunState, **more: object) -> bool:
    """Write `after` unless another worker has taken the run meanwhile."""
    fields = {name: getattr(after, name) for name in RUN_KEPT} | more
    ours = RuleRun.objects.filter(
        pk=run.pk, status=run.status, lease_until=run.lease_until, attempts=run.attempts
    )
    if ours.update(**fields) != 1:
        return False
    take(run, fields)
    return True


def fit(name: str, value: object) -> object:
    """Return `value` as its column holds it: what others say may be of any length."""
    if isinstance(value, str) and name in LONGEST:
        return str(value).replace("\0", "")[: LONGEST[name]]
    return value


def take(row: Transfer | RuleRun, fields: dict[str, object]) -> None:
    for name, value in fields.items():
        setattr(row, name, value)


def run_step(row: Transfer, steps: Sequence[Transfer]) -> Step:
    """Return what the run needs to know of `row`."""
    before = next((s for s in steps if s.pk == row.depends_on_id), None)
    return Step(
        status=row.status,
        part=part_of(row, steps),
        # A step waits for a person too while the one before it does.
        needs_person=row.needs_person or (before is not None and before.needs_person),
        next_attempt_at=row.next_attempt_at,
    )


def apply(run: RuleRun, event: machine.RunEvent, **more: object):
    """Return the commands that follow `event`; None if somebody else was faster."""
    before = run_state(run)
    after, commands = machine.step(before, event, now())
    if after is before and not commands and not more:
        return ()
    return commands if save_run(run, after, **more) else None
