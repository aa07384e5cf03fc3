"""Runs that found too little and try again when there may be more."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.utils.timezone import now

from automation.models import RuleLeg, RuleRun


def wake_short(connections: Iterable[UUID]) -> int:
    """Make due the runs that wait for money at `connections`; return how many.

    To be called when a balance there has changed: as long as none has, another look
    would find the same. What could not be read has a shorter pause of its own.
    """
    moment = now()
    fed = RuleLeg.objects.filter(role="source", account__connection__in=connections)
    short = RuleRun.objects.filter(
        status=RuleRun.Status.DUE,
        lease_until=None,
        next_attempt_at__gt=moment,
        rule__in=fed.values("rule"),
    ).exclude(outcome__in=["", RuleRun.Status.SKIPPED_STALE])
    return short.update(next_attempt_at=moment)
