"""Windows of days: each has one run, however its days were tried and its hours changed."""

from __future__ import annotations

from datetime import date

from automation.models import RuleRun, Trigger
from automation.rules.gate import gave_way, in_doubt
from automation.rules.triggers import Occurrence, next_try
from automation.schedules import INSTANT, trigger_spec

Status = RuleRun.Status
SET_ASIDE = ", before "  # a later day; so the key of a window is free for that one


def runs_in(trigger: Trigger, found: Occurrence) -> list[RuleRun]:
    """Return the runs that the window of `found` has had, and set aside what was none.

    Keys of older versions go on with an hour and a zone, and count as well.
    """
    rows = RuleRun.objects.filter(rule=trigger.rule_id, key__startswith=found.key)
    rows = rows.only("key", "status", "scheduled_for", "trace")
    known = [run for run in rows if SET_ASIDE not in run.key or not did_nothing(run)]
    vain = [r for r in known if did_nothing(r) and r.scheduled_for < found.at]
    for run in vain:
        set_aside(run, found)
    return [run for run in known if run not in vain]


def did_nothing(run: RuleRun) -> bool:
    """Tell whether the conditions did not hold, or nobody knew it, or nobody looked.

    Such a run has made no transfer under its key. One whose conditions held was the run
    of its window, also where nothing came of it; so was one that gave way to another rule.
    """
    told = [step["text"] for step in run.trace]
    match run.status:
        case Status.SKIPPED_STALE:
            return in_doubt(told)
        case Status.SKIPPED_CONDITION:
            return not gave_way(told)
    return run.status == Status.MISSED


def is_over(run: RuleRun) -> bool:
    """Tell whether no other day of the window of `run` is needed."""
    return run.status not in RuleRun.UNFINISHED and not did_nothing(run)


def set_aside(run: RuleRun, found: Occurrence) -> None:
    """Free the key of a window in which nothing was done yet, for another try."""
    key = f"{run.key}{SET_ASIDE}{found.at:%Y-%m-%d %H:%M}"
    RuleRun.objects.filter(pk=run.pk).update(key=key)


def later_day(run: RuleRun) -> date | None:
    """Return the next day on which the window of `run` is tried, if it is one's.

    To be called in a transaction. Until it ends, nobody takes that day and moves on.
    """
    if run.trigger_kind != Trigger.Kind.DATE_RANGE:
        return None
    mine = Trigger.objects.filter(rule=run.rule_id, kind=Trigger.Kind.DATE_RANGE)
    locked = mine.exclude(next_at=None).select_for_update(no_key=True).order_by("pk")
    return min(filter(None, (day_of(trigger, run) for trigger in locked)), default=None)


def day_of(trigger: Trigger, run: RuleRun) -> date | None:
    """Return the day on which `trigger` is looked at next, if it tries `run`'s window."""
    trigger.rule = run.rule
    return next_try(
        trigger_spec(trigger),
        run.key,
        zone=run.rule.timezone,
        after=trigger.next_at - INSTANT,
    )


def occasion(run: RuleRun) -> str:
    """Return what names the occasion of `run`: its window, else itself."""
    if run.trigger_kind != Trigger.Kind.DATE_RANGE:
        return str(run.pk)
    window, _, _ = run.key.partition("T")  # older keys go on with an hour
    return f"{run.rule_id}:{window}"
