"""Another try for what a plan left short: a run of its own, of the same occurrence.

It is committed with the plan that leaves something short, under a key that follows from
that run's, so that there is one at most. It waits as any run does that found too little,
until the same deadline. It leaves out whom the occurrence has paid, and begins nothing
that the first part began: no cooldown, no pay cycle, no rule that follows this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import Max
from django.utils.timezone import now

from automation.machine import run as events
from automation.machine.run import AFTER_SYNC
from automation.models import Rule, RuleRun
from automation.rules import Move, Plan
from automation.rules.identity import RETRY, retry_key

from .plans import moves_of, note

Status = RuleRun.Status
SHORT = "What was short is tried again after the next sync"


def start_retry(run: RuleRun, decided: Plan) -> None:
    """Commit the run that tries again what `run` leaves short, once; a sync wakes it."""
    if not decided.retry or run.status != Status.PLANNED:
        return
    RuleRun.objects.get_or_create(
        rule=run.rule,
        key=retry_key(run.key),
        defaults={
            "trigger_kind": run.trigger_kind,
            "requested_by": run.requested_by,
            "scheduled_for": run.scheduled_for,
            "amount": run.amount,
            "happened_at": run.happened_at,
            "outcome": Status.SKIPPED_FUNDS,
            "reason": SHORT,
            "trace": [note("retry", SHORT)],
            "next_attempt_at": now() + AFTER_SYNC,
        },
    )


def is_retry(run: RuleRun) -> bool:
    """Say whether `run` tries again what another one left short."""
    return run.key.startswith(RETRY)


def parts_before(run: RuleRun) -> list[RuleRun]:
    """Return the runs of this occurrence that left something to `run`, the first last."""
    if not is_retry(run):
        return []
    rows = RuleRun.objects.filter(rule=run.rule_id, scheduled_for=run.scheduled_for)
    return parts_among(rows, run.key)


def parts_among(rows: Iterable[RuleRun], key: str) -> list[RuleRun]:
    """Return those of `rows`, all of one rule, that left something to the run of `key`."""
    parts = {retry_key(row.key): row for row in rows}
    found = []
    while (row := parts.get(key)) is not None:
        found.append(row)
        key = row.key
    return found


def moved_by(parts: Iterable[RuleRun]) -> tuple[Move, ...]:
    """Return what `parts` of an occurrence set out to move, whatever became of it."""
    return tuple(
        Move(move.source, move.target, move.amount)
        for part in parts
        for move in moves_of(part)
    )


def not_yet(parts: Iterable[RuleRun]) -> events.Planned | None:
    """Return why nothing is to be planned as the parts before stand, if so.

    What they hold may still come back, and what ended badly is for a person to look at.
    """
    for part in parts:
        if part.status in RuleRun.UNFINISHED:
            why = "The first part of this occurrence is not over yet"
            return events.Planned(Status.SKIPPED_FUNDS, why, retry=True)
        if part.status not in (Status.SUCCEEDED, Status.PARTIAL):
            ended = Status(part.status).label.lower()
            why = f"The first part of this occurrence ended as {ended}: {part.reason}"
            return events.Planned(Status.SKIPPED_CONDITION, why)
    return None


def last_success(rule: Rule, parts: Sequence[RuleRun]) -> datetime | None:
    """Return when `rule` last succeeded, the occurrence of these `parts` aside."""
    newest = rule.last_success_at
    if not parts or newest is None or parts[-1].finished_at != newest:
        return newest
    others = RuleRun.objects.filter(
        rule=rule, status=Status.SUCCEEDED, finished_at__lt=newest
    ).exclude(key__startswith=RETRY)
    return others.aggregate(Max("finished_at"))["finished_at__max"]
