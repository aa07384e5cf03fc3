"""When rules are due next: the pure calendar, applied to rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Min, OuterRef, Subquery
from django.utils.timezone import now

from .models import Rule, Trigger
from .rules.calendar import CalendarError
from .rules.cron import CronError
from .rules.localtime import ZoneError
from .rules.triggers import (
    ELAPSED,
    LABELS,
    Occurrence,
    TriggerError,
    TriggerSpec,
    newest_occurrence,
    next_occurrence,
)

BROKEN = (CalendarError, CronError, TriggerError, ZoneError)
INSTANT = timedelta(microseconds=1)
CLOCKS = frozenset({*LABELS, *ELAPSED})
# These wait for facts: news wakes them, and they look by themselves should it be lost.
LOOKS = frozenset(
    {
        Trigger.Kind.PAYDAY,
        Trigger.Kind.TRANSACTION,
        Trigger.Kind.BALANCE,
        Trigger.Kind.AFTER_RULE,
    }
)
SAME = (
    "kind",
    "expression",
    "day",
    "weekday",
    "nth",
    "hour",
    "minute",
    "minutes",
    "business_day",
    "calendar",
    "min_amount",
    "max_amount",
    "pattern",
    "category",
    "merchant",
    "look_back_days",
    "cooldown_days",
    "start_day",
    "end_day",
    "above",
    "below",
    "rearm",
    "min_moved",
)


def trigger_spec(trigger: Trigger) -> TriggerSpec:
    """Return `trigger` as the pure calendar reads it."""
    known = {name: getattr(trigger, name) for name in SAME}
    return TriggerSpec(
        **known,
        anchor=trigger.anchor or trigger.rule.created,
        account=str(trigger.account_id or ""),
        rule=str(trigger.upstream_id or ""),
    )


def schedule(
    rule: Rule, *, after: datetime | None = None, going_on: bool = False
) -> None:
    """Set when each trigger of `rule`, and so the rule, is due next after `after`.

    The triggers start counting from then. With `going_on`, those that were counting
    already go on: what they have not seen yet, and what is due just now, still counts.
    """
    moment = after or now()
    triggers = list(rule.triggers.all())
    for trigger in triggers:
        trigger.rule, trigger.problem = rule, ""
        if not going_on or trigger.seen_at is None:
            trigger.seen_at = moment
        due = trigger.next_at is not None and trigger.next_at <= moment
        if not (going_on and due):
            trigger.next_at = next_at(trigger, moment)
    Trigger.objects.bulk_update(triggers, ["next_at", "seen_at", "problem"])
    refresh_due([rule.pk])
    rule.refresh_from_db(fields=["next_due_at"])


def next_at(trigger: Trigger, after: datetime) -> datetime | None:
    """Return when `trigger` is looked at next; None if it is only fired from outside."""
    if trigger.kind in LOOKS:
        return after
    if trigger.kind not in CLOCKS:
        return None
    found = next_occurrence(
        trigger_spec(trigger),
        zone=trigger.rule.timezone,
        after=after,
        tries=tries(trigger),
    )
    return found.at if found else None


def tries(trigger: Trigger) -> bool:
    """Tell whether a later day may do what the conditions forbade on the first."""
    return trigger.rule.conditions is not None


def next_window(trigger: Trigger, after: datetime) -> datetime | None:
    """Return when the next window of a date range begins."""
    found = next_occurrence(
        trigger_spec(trigger), zone=trigger.rule.timezone, after=after
    )
    return found.at if found else None


def occurs(trigger: Trigger, key: str, moment: datetime) -> bool:
    """Tell whether `trigger`, as it is written now, is due under `key` at `moment`."""
    zone, before = trigger.rule.timezone, moment - INSTANT
    try:
        found = next_occurrence(trigger_spec(trigger), zone=zone, after=before)
    except BROKEN:
        return False
    return found is not None and (found.key, found.at) == (key, moment)


def refresh_due(rules: Iterable[UUID]) -> None:
    """Set when each of `rules` is due next: when the first of its clocks strikes."""
    soonest = (
        Trigger.objects.filter(rule=OuterRef("pk"), kind__in=CLOCKS)
        .order_by()
        .values("rule")
        .values(soonest=Min("next_at"))
    )
    Rule.objects.filter(pk__in=rules).update(next_due_at=Subquery(soonest))


def newest_due(
    trigger: Trigger, since: datetime, moment: datetime
) -> Occurrence | None:
    """Return the last occurrence from `since` to `moment`: one is caught up.

    It is the newest that is not too late yet; where all are, the first that was missed.
    """
    spec, zone = trigger_spec(trigger), trigger.rule.timezone
    lateness = timedelta(seconds=trigger.rule.max_lateness_seconds)
    start = max(since, moment - lateness) - INSTANT
    found = newest_occurrence(
        spec, zone=zone, after=start, until=moment, tries=tries(trigger)
    )
    if found is not None:
        return found
    first = next_occurrence(
        spec, zone=zone, after=since - INSTANT, tries=tries(trigger)
    )
    return first if first is not None and first.at <= moment else None
