"""What automation has to tell: its kinds, and the conditions its runs may be in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import QuerySet

from accounts.events import Kind, register
from accounts.models import Severity
from accounts.services.events import Found, watch

from .models import RuleRun

Status = RuleRun.Status
# Told once, by a trigger of the database, in the transaction that ends the run; an
# announcement each time that it is made.
ENDS = (
    Kind("run_succeeded", "A rule's run succeeded"),
    Kind("run_partial", "A run made some of its moves only"),
    Kind("run_failed", "A run failed"),
    Kind("run_cancelled", "A run was cancelled"),
    Kind("run_missed", "A run came too late to be made"),
    Kind("run_notified", "A run is about to be made and may be cancelled"),
    Kind("run_skipped", "A run was skipped or had nothing to do", wanted=False),
)
# Told while they last.
LASTS = {
    Status.AWAITING_APPROVAL: (
        Kind("run_awaiting_approval", "A run waits for approval", lasting=True),
        Severity.WARNING,
        "waits for your approval",
    ),
    Status.STRANDED: (
        Kind("run_stranded", "Money waits between two pots", lasting=True),
        Severity.CRITICAL,
        "left money between two pots",
    ),
    Status.QUARANTINED: (
        Kind("run_quarantined", "A run was given up", lasting=True),
        Severity.CRITICAL,
        "was given up",
    ),
}


def waiting(status: str) -> QuerySet[RuleRun]:
    return RuleRun.objects.filter(status=status).select_related("rule")


def found(run: RuleRun, *more: str) -> Found:
    """Return the state that `run` is in; `more` tells it from the same one before."""
    kind, severity, words = LASTS[Status(run.status)]
    return Found(
        ":".join([kind.name, str(run.pk), *more]),
        run.rule.workspace_id,
        "run",
        run.pk,
        severity,
        f"{run.rule} {words}: {run.reason or 'no reason is known'}",
        {
            "run": str(run.pk),
            "rule": str(run.rule_id),
            "name": run.rule.name,
            "status": run.status,
            "reason": run.reason,
        },
    )


@watch("run_awaiting_approval")
def awaiting_approval(moment: datetime) -> Iterator[Found]:
    """Yield runs that a person has to say yes to: each plan is a question of its own."""
    for run in waiting(Status.AWAITING_APPROVAL).filter(approved_at=None):
        yield found(run, str(run.planned_at))


@watch("run_stranded")
def stranded(moment: datetime) -> Iterator[Found]:
    """Yield runs that left money where it does not belong."""
    return map(found, waiting(Status.STRANDED))


@watch("run_quarantined")
def quarantined(moment: datetime) -> Iterator[Found]:
    """Yield runs that nobody tries any more."""
    return map(found, waiting(Status.QUARANTINED))


register(*ENDS, *(kind for kind, _, _ in LASTS.values()))
