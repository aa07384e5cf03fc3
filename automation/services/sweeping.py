"""What is due or unsettled is taken further: messages get lost, rows do not."""

from __future__ import annotations

from itertools import chain
from time import monotonic

from django.db.models import Q
from django.utils.timezone import now

from automation.models import RuleRun, Transfer

from .runs import execute_run, reread

BATCH = 200
TURN = 45.0  # seconds: a task has to end before its time limit


def sweep_unsettled() -> int:
    """Take every due run and transfer a step further; return how many were taken.

    What does not fit into one turn is still due at the next.
    """
    ends, taken = monotonic() + TURN, 0
    for work, item in chain(
        ((execute_run, run_id) for run_id in due_runs()),
        ((reread, row) for row in due_transfers()),
    ):
        if monotonic() >= ends:
            break
        work(item)
        taken += 1
    return taken


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
