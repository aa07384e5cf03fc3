"""What a clock that was ahead wrote down, and nobody would look at until it is true."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Case, Q, QuerySet, Value, When
from django.utils.timezone import now

from automation.machine.events import SKEW
from automation.machine.transfer import LEASE, LONGEST
from automation.models import RuleRun, Transfer

from .locks import in_order, update_in_order

log = structlog.get_logger("automation.clock")


@transaction.atomic
def put_right() -> None:
    """Make due what waits for longer than anything does: the clock was put back.

    A lease of the future begins anew: whoever holds it may be at work.
    """
    moment = now()
    lease = moment + LEASE
    transfers = strayed_transfers(moment)
    runs = in_order(strayed_runs(moment, transfers))
    rows = RuleRun.objects.filter(pk__in=runs)
    if runs:
        rows.filter(lease_until__gt=lease).update(lease_until=lease)
        rows.filter(next_attempt_at__gt=moment).update(next_attempt_at=moment)
        rows.update(queued_at=None)
    begun = When(status=Transfer.Status.SENDING, then=Value(lease))
    due = Case(begun, default=Value(moment))
    found = update_in_order(transfers, next_attempt_at=due)
    if runs or found:
        log.warning("clock_put_back", runs=len(runs), transfers=len(found))


def strayed_transfers(moment: datetime) -> QuerySet[Transfer]:
    """Return what waits for longer than any pause, or has an attempt of the future.

    The latter must be asked about while that shows: later it would seem young, and be
    sent again though the provider has forgotten its id.
    """
    late = Q(next_attempt_at__gt=moment + LONGEST + SKEW)
    held = Q(status=Transfer.Status.SENDING, next_attempt_at__gt=moment + LEASE + SKEW)
    unclear = Q(
        status=Transfer.Status.UNKNOWN,
        needs_person=False,
        first_sent_at__gt=moment + SKEW,
        next_attempt_at__gt=moment,
    )
    return Transfer.objects.filter(late | held | unclear, status__in=Transfer.OPEN)


def strayed_runs(moment: datetime, transfers: QuerySet[Transfer]) -> QuerySet[RuleRun]:
    """Return the runs of `transfers`, and what waits or is held for longer than any is.

    A notice, and a plan that a person has to approve, may be long.
    """
    asked = Q(status=RuleRun.Status.AWAITING_APPROVAL, approved_at=None)
    patient = asked | Q(status=RuleRun.Status.NOTIFIED)
    return RuleRun.objects.unfinished().filter(
        Q(lease_until__gt=moment + LEASE + SKEW)
        | Q(queued_at__gt=moment + SKEW)
        | Q(next_attempt_at__gt=moment + LONGEST + SKEW) & ~patient
        | Q(pk__in=transfers.order_by().values("run"))
    )
