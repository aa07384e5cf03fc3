"""Due triggers become runs, one per occurrence, whoever looks and however often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic

import structlog
from django.db import transaction
from django.db.models import DateTimeField, Q, Value
from django.db.models.functions import Now

from automation.machine.events import SKEW
from automation.models import RuleRun, Trigger
from automation.rules.localtime import zone_of, zones
from automation.rules.triggers import Occurrence, beside
from automation.schedules import (
    BROKEN,
    CLOCKS,
    LOOKS,
    newest_due,
    next_at,
    next_window,
    refresh_due,
)

from .movements import Found, salaries, settled
from .periods import is_anothers
from .plans import note
from .runs import fitting
from .sights import crossings, successes
from .waking import look_now
from .windows import is_over, runs_in

log = structlog.get_logger("automation.schedules")
BATCH = 500  # triggers claimed at a time
SLICE = 4.0  # seconds of one beat, after which no other batch is begun
LOOK_AGAIN = timedelta(minutes=10)  # for facts, should the news of them be lost
WRITTEN = ["next_at", "seen_at", "armed", "problem"]

SIGHTS: dict[str, Callable[[Sequence[Trigger], datetime], Found]] = {
    Trigger.Kind.PAYDAY: salaries,
    Trigger.Kind.TRANSACTION: settled,
    Trigger.Kind.BALANCE: crossings,
    Trigger.Kind.AFTER_RULE: successes,
}


def dispatch_due_rules(moment: datetime | None = None) -> list[RuleRun]:
    """Start a run for every trigger that is due, and return the runs to carry out.

    Safe from many beats: a trigger is claimed by one, and a key starts one run. What is
    due is decided by the database's clock, or at `moment` if that is given. Where much
    is due at once, what a few seconds do not suffice for is left to the next beat.
    """
    runs: list[RuleRun] = []
    ends = monotonic() + SLICE
    while True:
        started, looked = dispatch_some(moment)
        runs += started
        if looked < BATCH or monotonic() >= ends:
            return runs


@transaction.atomic
def dispatch_some(moment: datetime | None) -> tuple[list[RuleRun], int]:
    """Start what one batch of due triggers makes due; also return how many those were."""
    triggers = claim_due(moment)
    if not triggers:
        return [], 0
    runs = fire_all(triggers, moment or triggers[0].clock)
    Trigger.objects.bulk_update(triggers, WRITTEN)
    refresh_due({trigger.rule_id for trigger in triggers})
    return runs, len(triggers)


def put_schedules_right() -> int:
    """Let triggers be reckoned anew that were looked at in the future; return how many.

    The clock was ahead, and is put back. They fire nothing by that: what is not due yet
    is not, and what was begun too early has its key.
    """
    ahead = Q(kind__in=CLOCKS, seen_at__gt=Now() + SKEW)
    asleep = Q(kind__in=LOOKS, next_at__gt=Now() + LOOK_AGAIN + SKEW)
    found = look_now((ahead | asleep) & Q(next_at__gt=Now()))
    if found:
        log.warning("schedules_put_right", triggers=found)
    return found


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
    due = [
        (trigger, each)
        for trigger in triggers
        for each in fire(trigger, found.get(trigger.pk, []), moment)
    ]
    return start_all(due, moment)


def fire(
    trigger: Trigger, seen: Sequence[Occurrence], moment: datetime
) -> Sequence[Occurrence]:
    """Return what `trigger` makes due, and move it on to its next moment.

    One that can no longer be read, since calendars and zones change, stops nobody else:
    it says so, and is looked at again.
    """
    due, trigger.problem = trigger.next_at, ""
    trigger.next_at = moment + LOOK_AGAIN
    if trigger.kind in CLOCKS:
        trigger.seen_at = moment  # what looks for facts says itself what it has seen
    try:
        zone_of(trigger.rule.timezone)
        if trigger.kind not in LOOKS:
            trigger.next_at, seen = clock(trigger, due, moment)
    except BROKEN as error:
        trigger.problem = str(error)
        log.exception("trigger_broken", trigger=str(trigger.pk))
        return []
    return seen


def clock(
    trigger: Trigger, due: datetime, moment: datetime
) -> tuple[datetime | None, list[Occurrence]]:
    """Return when a time trigger is due next, and what it makes due now."""
    found = newest_due(trigger, due, moment)
    return next_at(trigger, moment), [found] if found else []


def start_all(
    due: Sequence[tuple[Trigger, Occurrence]], moment: datetime
) -> list[RuleRun]:
    """Commit a run for each occurrence that has none yet; return those to carry out."""
    due = [(trigger, found) for trigger, found in due if opens(trigger, found, moment)]
    made, taken = start(due, moment)
    apart = [(trigger, beside(f)) for trigger, f in taken if is_anothers(trigger, f)]
    if apart:
        made += start(apart, moment)[0]
    for run in made:
        if run.status == RuleRun.Status.MISSED:
            log.warning("run_missed", run=str(run.pk), rule=str(run.rule_id))
    return [run for run in made if run.status == RuleRun.Status.DUE]


def start(
    due: Sequence[tuple[Trigger, Occurrence]], moment: datetime
) -> tuple[list[RuleRun], list[tuple[Trigger, Occurrence]]]:
    """Commit a run for each key that has none; also return those of `due` that had."""
    runs = [run_of(trigger, found, moment) for trigger, found in due]
    RuleRun.objects.bulk_create(runs, BATCH, ignore_conflicts=True)
    # Whose key was taken is not there under its own id.
    made = RuleRun.objects.filter(pk__in=[run.pk for run in runs])
    created = set(made.values_list("pk", flat=True)) if runs else set()
    taken = [pair for pair, run in zip(due, runs, strict=True) if run.pk not in created]
    return [run for run in runs if run.pk in created], taken


def opens(trigger: Trigger, found: Occurrence, moment: datetime) -> bool:
    """Tell whether `found` may start a run: a window that has had its run is over.

    While that run is under way, another day of the window may still be needed.
    """
    if trigger.kind != Trigger.Kind.DATE_RANGE:
        return True
    begun = runs_in(trigger, found)
    if any(map(is_over, begun)):
        trigger.next_at = next_window(trigger, moment)
    return not begun


def run_of(trigger: Trigger, found: Occurrence, moment: datetime) -> RuleRun:
    """Return the run of one occurrence; where it is too late, as one that was missed."""
    run = RuleRun(
        rule=trigger.rule,
        key=fitting(found.key),
        trigger_kind=trigger.kind,
        trigger=trigger,
        scheduled_for=found.at,
        amount=found.amount,
        happened_at=found.happened,
    )
    late = moment - found.at
    if late > timedelta(seconds=trigger.rule.max_lateness_seconds):
        run.status = run.outcome = RuleRun.Status.MISSED
        run.reason = f"It was due {late} earlier, which is too late to catch up"
        run.finished_at, run.trace = moment, [note("missed", run.reason)]
    return run
