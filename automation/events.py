"""What automation has to tell: its kinds, and the conditions its runs may be in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from accounts.events import Kind, register
from accounts.models import Severity
from accounts.services.events import Found, watch

from .models import RuleRun

Status = RuleRun.Status
# Told once, by a trigger of the database, in the transaction that ends the run.
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


def holding(status: str) -> Iterator[Found]:
    """Yield the runs that are in this state now."""
    kind, severity, words = LASTS[status]
    rows = RuleRun.objects.filter(status=status).select_related("rule")
    if status == Status.AWAITING_APPROVAL:
        rows = rows.filter(approved_at=None)
    for run in rows:
        yield Found(
            f"{kind.name}:{run.pk}",
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
    """Yield runs that a person has to say yes to."""
    return holding(Status.AWAITING_APPROVAL)


@watch("run_stranded")
def stranded(moment: datetime) -> Iterator[Found]:
    """Yield runs that left money where it does not belong."""
    return holding(Status.STRANDED)


@watch("run_quarantined")
def quarantined(moment: datetime) -> Iterator[Found]:
    """Yield runs that nobody tries any more."""
    return holding(Status.QUARANTINED)


register(*ENDS, *(kind for kind, _, _ in LASTS.values()))
