"""Due triggers become runs, one per occurrence, whoever looks and however often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import DateTimeField, Value
from django.db.models.functions import Now

from automation.models import RuleRun, Trigger
from automation.rules.calendar import CalendarError
from automation.rules.cron import CronError
from automation.rules.localtime import ZoneError, zones
from automation.rules.triggers import Occurrence, TriggerError
from automation.schedules import (
    LOOKS,
    newest_due,
    next_at,
    next_window,
    refresh_due,
    tries,
)

from .movements import Found, salaries, settled
from .plans import note
from .runs import fitting, start_run
from .sights import crossings, successes

log = structlog.get_logger("automation.schedules")
BATCH = 500  # triggers claimed at a time
LOOK_AGAIN = timedelta(minutes=10)  # for facts, should the news of them be lost
BROKEN = (CalendarError, CronError, TriggerError, ZoneError)
WRITTEN = ["next_at", "seen_at", "armed"]

SIGHTS: dict[str, Callable[[Sequence[Trigger], datetime], Found]] = {
    Trigger.Kind.PAYDAY: salaries,
    Trigger.Kind.TRANSACTION: settled,
    Trigger.Kind.BALANCE: crossings,
    Trigger.Kind.AFTER_RULE: successes,
}


def dispatch_due_rules(moment: datetime | None = None) -> list[RuleRun]:
    """Start a run for every trigger that is due, and return the runs to carry out.

    Safe from many beats: a trigger is claimed by one, and a key starts one run. What is
    due is decided by the database's clock, or at `moment` if that is given.
    """
    with transaction.atomic():
        triggers = claim_due(moment)
        if not triggers:
            return []
        runs = fire_all(triggers, moment or triggers[0].clock)
        Trigger.objects.bulk_update(triggers, WRITTEN)
        refresh_due({trigger.rule_id for trigger in triggers})
    return runs


def claim_due(moment: datetime | None) -> list[Trigger]:
    """Return due triggers, locked, by priority and rule; others' are skipped.

    The rule is locked with its trigger: whoever rewrites it now is not waited for.
    """
    clock = Now() if moment is None else Value(moment, output_field=DateTimeField())
    rows = Trigger.objects.select_for_update(
        skip_locked=True, no_key=True, of=("self", "rule")
    )
    rows = rows.select_related("rule", "upstream").annotate(clock=clock)
    due = rows.filter(next_at__lte=clock, rule__enabled=True, rule__archived_at=None)
    return list(due.order_by("rule__priority", "rule_id", "next_at")[:BATCH])


def fire_all(triggers: Sequence[Trigger], moment: datetime) -> list[RuleRun]:
    """Start what `triggers` make due, in their order, and move each on."""
    by_kind: dict[str, list[Trigger]] = defaultdict(list)
    for trigger in triggers:
        if trigger.rule.timezone in zones():
            by_kind[trigger.kind].append(trigger)
    found: Found = {}
    for kind in LOOKS & by_kind.keys():
        found |= SIGHTS[kind](by_kind[kind], moment)
    runs: list[RuleRun] = []
    for trigger in triggers:
        runs += fire(trigger, found.get(trigger.pk, []), moment)
    return runs


def fire(
    trigger: Trigger, seen: Sequence[Occurrence], moment: datetime
) -> list[RuleRun]:
    """Start what `trigger` makes due and move it on to its next moment.

    One that can no longer be read, since calendars and zones change, stops nobody else.
    """
    due = trigger.next_at
    trigger.next_at = moment + LOOK_AGAIN
    if trigger.kind not in LOOKS:
        try:
            trigger.next_at, seen = clock(trigger, due, moment)
        except BROKEN:
            log.exception("trigger_broken", trigger=str(trigger.pk))
            return []
    return [run for each in seen for run in start(trigger, each, moment)]


def clock(
    trigger: Trigger, due: datetime, moment: datetime
) -> tuple[datetime | None, list[Occurrence]]:
    """Return when a time trigger is due next, and what it makes due now."""
    found = newest_due(trigger, due, moment)
    return next_at(trigger, moment), [found] if found else []


def start(trigger: Trigger, found: Occurrence, moment: datetime) -> list[RuleRun]:
    """Start the run of one occurrence, or note that it was missed."""
    again = trigger.kind == Trigger.Kind.DATE_RANGE and tries(trigger)
    if again:
        set_aside(trigger, found)
    run, created = start_run(
        trigger.rule,
        found.key,
        trigger_kind=trigger.kind,
        trigger=trigger,
        scheduled_for=found.at,
        amount=found.amount,
        happened_at=found.happened,
    )
    if again and not created:
        trigger.next_at = next_window(trigger, moment)
    lateness = timedelta(seconds=trigger.rule.max_lateness_seconds)
    if created and moment - found.at > lateness:
        miss(run, moment)
        return []
    return [run] if created else []


def set_aside(trigger: Trigger, found: Occurrence) -> None:
    """Free the key of a window in which nothing was done yet, for another day's try.

    What was skipped for its conditions, or missed, has made no transfer under its key.
    """
    undone = [RuleRun.Status.SKIPPED_CONDITION, RuleRun.Status.MISSED]
    rows = RuleRun.objects.filter(
        rule=trigger.rule_id,
        key=fitting(found.key),
        status__in=undone,
        scheduled_for__lt=found.at,
    )
    rows.update(key=fitting(f"{found.key}, before {found.at:%Y-%m-%d}"))


def miss(run: RuleRun, moment: datetime) -> None:
    late = moment - run.scheduled_for
    run.status, run.outcome = RuleRun.Status.MISSED, RuleRun.Status.MISSED
    run.reason = f"It was due {late} earlier, which is too late to catch up"
    run.finished_at, run.trace = moment, [note("missed", run.reason)]
    run.save(update_fields=["status", "outcome", "reason", "finished_at", "trace"])
    log.warning("run_missed", run=str(run.pk), rule=str(run.rule_id), late=str(late))
