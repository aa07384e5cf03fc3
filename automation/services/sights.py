"""What triggers see that wait for balances and for other rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from accounts.models import Balance, BalanceSnapshot
from automation.models import RuleRun, Transfer, Trigger
from automation.rules.identity import RETRY
from automation.rules.known import STALE_SECONDS, TYPED
from automation.rules.thresholds import Reading, crossed
from automation.rules.triggers import Occurrence
from automation.schedules import trigger_spec

from .movements import Found
from .terms import age

COMMITTING = timedelta(minutes=10)  # what ended a moment ago may not be visible yet
AHEAD = timedelta(minutes=1)  # by which clocks may differ


@dataclass(frozen=True, slots=True)
class Held(Reading):
    """What an account has available now, and when a sync last found that."""

    fetched_at: datetime
    source: str


def crossings(triggers: Sequence[Trigger], moment: datetime) -> Found:
    """Return, by trigger, the newest crossing of its threshold; arm and disarm them.

    Balances that were passed through between two looks are known from snapshots.
    """
    found: Found = {}
    passed = readings_for(triggers)
    for trigger in triggers:
        since = trigger.seen_at or trigger.created
        readings = [
            reading
            for reading in passed[trigger.account_id]
            if counts(trigger, reading, since, moment)
        ]
        trigger.armed, crossing = crossed(
            trigger_spec(trigger), readings, armed=trigger.armed, since=since
        )
        trigger.seen_at = max([since, *(reading.as_of for reading in readings)])
        if crossing is not None:
            found[trigger.pk] = [crossing]
    return found


def counts(
    trigger: Trigger, reading: Reading, since: datetime, moment: datetime
) -> bool:
    """Tell whether `reading` decides anything for a trigger that looked at `since`.

    What is held now also does where it is no news, while it is as young as the rule
    wants. A sync that found it again is news, or a trigger whose looks come long after
    the syncs would never see what was old when it was written.
    """
    if not isinstance(reading, Held):
        return reading.as_of > since
    news = max(reading.as_of, reading.fetched_at) > since
    limit = STALE_SECONDS if news else trigger.rule.max_staleness_seconds
    return reading.source == TYPED or age(reading, moment) <= limit


def readings_for(triggers: Sequence[Trigger]) -> dict[UUID | None, list[Reading]]:
    """Return, by account, what it had available since its first look, oldest first.

    A distrusted balance is left out: a later reading, in quarantine, contradicts it.
    """
    first: dict[UUID | None, datetime] = {}
    for trigger in triggers:
        since = trigger.seen_at or trigger.created
        first[trigger.account_id] = min(since, first.get(trigger.account_id, since))
    readings: dict[UUID | None, list[Reading]] = defaultdict(list)
    # Each since its own look: one account that nobody reads any more would else bring
    # in all that the others ever held.
    news = Q(*(Q(account=a, as_of__gt=at) for a, at in first.items()), _connector=Q.OR)
    past = BalanceSnapshot.objects.heard().filter(news)
    now = Balance.objects.filter(account__in=first, distrusted=False)
    columns = "account_id", "available", "as_of"
    for account, *reading in past.order_by("as_of", "pk").values_list(*columns):
        readings[account].append(Reading(*reading))
    for account, *held in now.values_list(*columns, "fetched_at", "source"):
        readings[account].append(Held(*held))
    return readings


def successes(triggers: Sequence[Trigger], moment: datetime) -> Found:
    """Return, by trigger, every success of its upstream rule that moved enough."""
    since = min(looked_at(trigger, moment) for trigger in triggers)
    runs = RuleRun.objects.filter(
        rule__in={trigger.upstream_id for trigger in triggers},
        status=RuleRun.Status.SUCCEEDED,
        dry=False,
        finished_at__gt=since,
    )
    runs = runs.exclude(key__startswith=RETRY).annotate(
        moved=Transfer.objects.arrived().sum_of("pk")
    )
    found: Found = defaultdict(list)
    for run in runs.order_by("finished_at", "pk"):
        for trigger in triggers:
            if follows(trigger, run, moment):
                found[trigger.pk].append(after(trigger, run))
    for trigger in triggers:
        trigger.seen_at = max(looked_at(trigger, moment), moment - COMMITTING)
    return found


def looked_at(trigger: Trigger, moment: datetime) -> datetime:
    """Return up to when `trigger` was looked at.

    Not into a future that never came, for the clock was put back: what ends before that
    comes once more would never be seen. One success makes it due but once.
    """
    seen = trigger.seen_at or trigger.created
    return seen if seen <= moment + AHEAD else moment - COMMITTING


def follows(trigger: Trigger, run: RuleRun, moment: datetime) -> bool:
    """Tell whether `run` is one that `trigger` waits for."""
    return (
        run.rule_id == trigger.upstream_id
        and run.finished_at > looked_at(trigger, moment)
        and run.moved >= (trigger.min_moved or 0)
    )


def after(trigger: Trigger, run: RuleRun) -> Occurrence:
    """Return the occurrence that a success of the upstream rule is."""
    reason = f"After {trigger.upstream}: {run.key}"
    return Occurrence(f"after_rule:{run.pk}", run.finished_at, reason)
