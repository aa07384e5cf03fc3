"""Windows of days: each has one run, however its days were tried and its hours changed."""

from __future__ import annotations

from automation.models import RuleRun, Trigger
from automation.rules.gate import in_doubt
from automation.rules.triggers import Occurrence

Status = RuleRun.Status
SET_ASIDE = ", before "  # a later day; so the key of a window is free for that one


def runs_in(trigger: Trigger, found: Occurrence) -> list[RuleRun]:
    """Return the runs that the window of `found` has had, and set aside what was none.

    Keys of older versions go on with an hour and a zone, and count as well.
    """
    rows = RuleRun.objects.filter(rule=trigger.rule_id, key__startswith=found.key)
    begun = []
    for run in rows.only("key", "status", "scheduled_for", "trace"):
        if SET_ASIDE in run.key:
            continue
        if did_nothing(run) and run.scheduled_for < found.at:
            set_aside(run, found)
        else:
            begun.append(run)
    return begun


def did_nothing(run: RuleRun) -> bool:
    """Tell whether the conditions did not hold, or nobody knew it, or nobody looked.

    Such a run has made no transfer under its key. One whose conditions held was the run
    of its window, also where nothing came of it.
    """
    if run.status == Status.SKIPPED_STALE:
        return in_doubt(step["text"] for step in run.trace)
    return run.status in (Status.SKIPPED_CONDITION, Status.MISSED)


def set_aside(run: RuleRun, found: Occurrence) -> None:
    """Free the key of a window in which nothing was done yet, for another try."""
    key = f"{run.key}{SET_ASIDE}{found.at:%Y-%m-%d %H:%M}"
    RuleRun.objects.filter(pk=run.pk).update(key=key)
