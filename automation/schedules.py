"""When rules are due next: the pure calendar, applied to rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Min, OuterRef, Subquery
from django.utils.timezone import now

from .models import Rule, Trigger
from .rules.triggers import ELAPSED, LABELS, Occurrence, TriggerSpec, next_occurrence

MOST_STEPS = 2000  # occurrences walked over after an outage
INSTANT = timedelta(microseconds=1)
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


def has_clock(kind: str) -> bool:
    return kind in LABELS or kind in ELAPSED


def schedule(rule: Rule, *, after: datetime | None = None) -> None:
    """Set when each trigger of `rule`, and so the rule, is due next after `after`."""
    moment = after or now()
    triggers = list(rule.triggers.all())
    for trigger in triggers:
        trigger.rule = rule
        trigger.next_at = next_at(trigger, moment)
    Trigger.objects.bulk_update(triggers, ["next_at"])
    refresh_due([rule.pk])
    rule.refresh_from_db(fields=["next_due_at"])


def next_at(trigger: Trigger, after: datetime) -> datetime | None:
    """Return when `trigger` is looked at next; None if only a person fires it."""
    if trigger.kind == Trigger.Kind.PAYDAY:
        return after
    if not has_clock(trigger.kind):
        return None
    zone = trigger.rule.timezone
    found = next_occurrence(trigger_spec(trigger), zone=zone, after=after)
    return found.at if found else None


def refresh_due(rules: Iterable[UUID]) -> None:
    """Set when each of `rules` is due next: when the first of its triggers is."""
    soonest = (
        Trigger.objects.filter(rule=OuterRef("pk"))
        .order_by()
        .values("rule")
        .values(soonest=Min("next_at"))
    )
    Rule.objects.filter(pk__in=rules).update(next_due_at=Subquery(soonest))


def newest_due(trigger: Trigger, moment: datetime) -> Occurrence | None:
    """Return the last occurrence that is due: after an outage one is caught up."""
    assert trigger.next_at is not None
    spec, zone = trigger_spec(trigger), trigger.rule.timezone
    lateness = timedelta(seconds=trigger.rule.max_lateness_seconds)
    first = next_occurrence(spec, zone=zone, after=trigger.next_at - INSTANT)
    found = None
    start = max(trigger.next_at, moment - lateness) - INSTANT
    coming = next_occurrence(spec, zone=zone, after=start)
    for _ in range(MOST_STEPS):
        if coming is None or coming.at > moment:
            break
        found, coming = coming, next_occurrence(spec, zone=zone, after=coming.at)
    if found is None and first is not None and first.at <= moment:
        return first
    return found
