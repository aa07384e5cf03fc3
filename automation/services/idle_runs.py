"""Forgets runs that the clock began, that moved nothing and that are long over."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, ProtectedError, QuerySet
from django.utils.timezone import now

from automation.models import RuleRun
from automation.schedules import CLOCKS

log = structlog.get_logger("automation.runs")
BATCH = 1_000  # runs deleted at a time …
BATCHES = 20  # … and so many times by one task


def forget_idle_runs() -> bool:
    """Delete runs that ended RULE_RUN_DAYS ago; say whether there may be more to delete.

    May be repeated, and broken off anywhere. What moved or may have moved anything stays,
    and the newest run of a rule; so does what a person, a program, a payment or another
    rule began: their keys may come again.
    """
    old = idle_runs().values_list("pk", flat=True)
    for _ in range(BATCHES):
        if not (ids := list(old[:BATCH])):
            return False
        try:
            with transaction.atomic():
                RuleRun.objects.filter(pk__in=ids).only("pk").delete()
        except (ProtectedError, IntegrityError) as error:
            # Something refers to one of them since: the next night sees it.
            log.warning("idle_runs_kept", error=str(error)[:300])
            return False
        log.info("idle_runs_forgotten", runs=len(ids))
    return True


def idle_runs() -> QuerySet[RuleRun]:
    """Return the runs that may be forgotten."""
    until = now() - timedelta(days=settings.RULE_RUN_DAYS)
    newer = RuleRun.objects.filter(
        rule=OuterRef("rule"), scheduled_for__gt=OuterRef("scheduled_for")
    )
    old = RuleRun.objects.filter(
        Exists(newer.order_by()),
        created__lt=until,
        finished_at__lt=until,
        status__in=RuleRun.IDLE,
        trigger_kind__in=CLOCKS,
        transfers=None,
    )
    return old.order_by()
