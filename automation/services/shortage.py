"""Runs that found too little and try again when there may be more."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
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
    found = list(SHORT(moment, padded(connections)))
    return look_again(found, moment) if found else 0


def look_again(runs: Collection[UUID], moment: datetime) -> int:
    """Make due at `moment` those of `runs` that still wait; return how many."""
    still = RuleRun.objects.filter(
        pk__in=runs,
        status=RuleRun.Status.DUE,
        lease_until=None,
        next_attempt_at__gt=moment,
    )
    return len(update_in_order(still, next_attempt_at=moment))


def short(moment: datetime, connections: Any) -> QuerySet[RuleRun]:
    """Return the runs that found too little at `connections`, ids or a query of them."""
    fed = RuleLeg.objects.filter(role="source", account__connection__in=connections)
    waiting = RuleRun.objects.filter(
        status=RuleRun.Status.DUE,
        lease_until=None,
        next_attempt_at__gt=moment,
        rule__in=fed.values("rule"),
    ).exclude(outcome__in=["", RuleRun.Status.SKIPPED_STALE])
    return waiting.values_list("pk", flat=True)


SHORT = Compiled(short)
