"""Runs that found too little and try again when there may be more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.utils.timezone import now

from automation.models import RuleLeg, RuleRun

from .compiled import Compiled, padded
from .locks import update_in_order


def wake_short(connections: Iterable[UUID]) -> int:
    """Make due the runs that wait for money at `connections`; return how many.

    To be called when a balance there has changed: as long as none has, another look
    would find the same. What could not be read has a shorter pause of its own.
    """
    moment = now()
    found = list(SHORT(moment, *padded(connections)))
    if not found:
        return 0
    still = RuleRun.objects.filter(
        pk__in=found,
        status=RuleRun.Status.DUE,
        lease_until=None,
        next_attempt_at__gt=moment,
    )
    return len(update_in_order(still, next_attempt_at=moment))


def short(moment: datetime, *connections: UUID) -> QuerySet[RuleRun]:
    fed = RuleLeg.objects.filter(role="source", account__connection__in=connections)
    waiting = RuleRun.objects.filter(
        status=RuleRun.Status.DUE,
        lease_until=None,
        next_attempt_at__gt=moment,
        rule__in=fed.values("rule"),
    ).exclude(outcome__in=["", RuleRun.Status.SKIPPED_STALE])
    return waiting.values_list("pk", flat=True)


SHORT = Compiled(short)
