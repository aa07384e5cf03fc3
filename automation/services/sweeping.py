"""What is due or unsettled is taken further: messages get lost, rows do not."""

from __future__ import annotations

import structlog
from django.db.models import Q
from django.utils.timezone import now

from automation.models import RuleRun, Transfer

from .runs import execute_run, reread

log = structlog.get_logger("automation.sweeper")
BATCH = 200


def sweep_unsettled() -> int:
    """Take every due run and transfer a step further; return how many there were."""
    runs = due_runs()
    for run_id in runs:
        execute_run(run_id)
    rows = due_transfers()
    for row in rows:
        reread(row)
    return len(runs) + len(rows)


def due_runs() -> list:
    """Return the unfinished runs that nobody holds and whose time has come."""
    moment = now()
    free = Q(lease_until=None) | Q(lease_until__lte=moment)
    due = Q(next_attempt_at=None) | Q(next_attempt_at__lte=moment)
    rows = RuleRun.objects.unfinished().filter(free, due)
    rows = rows.order_by("rule__priority", "rule_id", "created")
    return list(rows.values_list("pk", flat=True)[:BATCH])


def due_transfers() -> list[Transfer]:
    """Return what waits for a person and may be read again."""
    rows = Transfer.objects.unsettled().filter(
        needs_person=True, next_attempt_at__lte=now()
    )
    return list(rows.order_by("next_attempt_at")[:BATCH])
