"""Forgets findings that are over: what is open, or that a person decided about, stays."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now

from accounts.models import Discrepancy, QuarantinedReading
from accounts.models.idempotency import delete_in_batches

from .auditing import audit


@transaction.atomic
def forget_old_findings() -> int:
    """Delete what left quarantine, and what agreed again, FINDING_DAYS ago; return how many.

    A difference that a person accepted or ignored stays: it is known by its row, and
    would be told of again.
    """
    until = now() - timedelta(days=settings.FINDING_DAYS)
    closed = QuarantinedReading.objects.exclude(status=QuarantinedReading.Status.OPEN)
    resolved = Discrepancy.objects.filter(status=Discrepancy.Status.RESOLVED)
    gone = sum(
        delete_in_batches(rows.filter(last_seen_at__lt=until).order_by())
        for rows in (closed, resolved)
    )
    if gone:
        audit("findings.forgotten", new={"rows": gone, "last_seen_before": until})
    return gone
