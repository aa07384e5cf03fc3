"""Windows of days: each has one run, however its days were tried and its hours changed."""

from __future__ import annotations

from automation.models import RuleRun, Trigger
from automation.rules.triggers import Occurrence

SET_ASIDE = ", before "  # a later day; so the key of a window is free for that one
UNDONE = (RuleRun.Status.SKIPPED_CONDITION, RuleRun.Status.MISSED)


def runs_in(trigger: Trigger, found: Occurrence) -> list[RuleRun]:
    """Return the runs that the window of `found` has had, and set aside what was none.

    Keys of older versions go on with an hour and a zone, and count as well.
    """
    rows = RuleRun.objects.filter(rule=trigger.rule_id, key__startswith=found.key)
    begun = []
    for run in rows.only("key", "status", "scheduled_for"):
        if SET_ASIDE in run.key:
            continue
        if run.status in UNDONE and run.scheduled_for < found.at:
            set_aside(run, found)
        else:
            begun.append(run)
    return begun


def set_aside(run: RuleRun, found: Occurrence) -> None:
    """Free the key of a window in which nothing was done yet, for another try.

    What was skipped for its conditions, or missed, has made no transfer under its key.
    """
    key = f"{run.key}{SET_ASIDE}{found.at:%Y-%m-%d %H:%M}"
    RuleRun.objects.filter(pk=run.pk).update(key=key)
