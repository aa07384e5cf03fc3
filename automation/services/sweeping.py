"""What may go on: after a pause, after another transfer, after a worker's death."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.timezone import now

from automation.machine.endings import QUARANTINED
from automation.machine.run import ENDED_BADLY
from automation.models import RuleRun, Transfer

from .line import wake_line
from .locks import in_order, update_in_order
from .shortage import look_again
from .waiting import IN_LINE, WAITING, let_end
from .waking import wake_followers

BATCH = 200
UNHEARD = timedelta(seconds=30)  # after which a message is taken for lost


def due_runs() -> list[UUID]:
    """Return the unfinished runs that nobody holds and whose time has come.

    Each is returned once for every time it comes due, and again only if nobody took it
    for half a minute: its message was lost. A queue that grew with every look would
    keep busy workers from what is new.
    """
    return claim(free_runs())


def due_again() -> list[UUID]:
    """Return those of `due_runs` that were begun: no message of theirs is under way."""
    begun = Q(lease_until__isnull=False) | Q(next_attempt_at__isnull=False)
    return claim(free_runs().filter(begun))


def free_runs() -> QuerySet[RuleRun]:
    moment = now()
    free = Q(lease_until=None) | Q(lease_until__lte=moment)
    due = Q(next_attempt_at=None) | Q(next_attempt_at__lte=moment)
    unsaid = Q(queued_at=None) | Q(queued_at__lte=moment - UNHEARD)
    since = Q(queued_at__lt=F("next_attempt_at")) | Q(queued_at__lt=F("lease_until"))
    return RuleRun.objects.unfinished().filter(free, due, unsaid | since)


@transaction.atomic
def claim(runs: QuerySet[RuleRun]) -> list[UUID]:
    """Return the first of `runs`, noted as queued; those another beat notes are left out."""
    rows = runs.select_for_update(skip_locked=True, no_key=True, of=("self",))
    rows = rows.order_by("rule__priority", "rule_id", "created")
    ids = list(rows.values_list("pk", flat=True)[:BATCH])
    if ids:
        RuleRun.objects.filter(pk__in=ids).update(queued_at=now())
    return ids


def due_transfers() -> list[UUID]:
    """Return what waits for a person and may be read again, and what was left behind.

    That is a step of a run that had ended when the step before it turned out well.
    """
    asked = Q(needs_person=True, next_attempt_at__lte=now())
    left = Q(needs_person=False, run__status__in=ENDED_BADLY)
    left &= Q(depends_on=None) | Q(depends_on__needs_person=False)
    # The status is what the index of the unsettled knows.
    rows = Transfer.objects.filter(asked | left, status__in=Transfer.OPEN)
    rows = rows.order_by("next_attempt_at")
    return list(rows.values_list("pk", flat=True)[:BATCH])


def take_up_unclear(connection_id: UUID) -> list[UUID]:
    """Let it be asked what came of what given-up runs left unclear; return what that is.

    Nobody has asked about it since: what its workers died of may have been the asking.
    What was certainly never sent is not among them: to take it up would be to send it.
    """
    rows = Transfer.objects.filter(
        source__connection=connection_id,
        status=Transfer.Status.UNKNOWN,
        needs_person=True,
        error_code=QUARANTINED,
        next_attempt_at=None,
        first_sent_at__isnull=False,
    )
    return update_in_order(rows, next_attempt_at=now())


def wake(run: RuleRun) -> list[UUID]:
    """Make due the runs that waited for `run` or for an account it left; return them.

    `run` itself may be among them: the account may have become free while it noted
    that it has to wait. Triggers that may be glad of its end are looked at now, and so
    are runs that found too little where it has moved money.
    """
    if run.finished_at is None:
        let_end(run)
    elif getattr(run, "watched", True):
        wake_followers(run)
    moment = now()
    found = run.waiting
    if found is None:  # it has not succeeded just now, or somebody waits
        found = list((WAITING if run.moved else IN_LINE)((run.pk,), moment))
    waiting = {transfer: whose for transfer, whose in found if whose is not None}
    if waiting:
        let_go(waiting, moment)
    if short_runs := [pk for pk, whose in found if whose is None]:
        look_again(short_runs, moment)
    return list(dict.fromkeys([*waiting.values(), *wake_line(run)]))


@transaction.atomic
def let_go(waiting: Mapping[UUID, UUID], moment: datetime) -> None:
    """Make these transfers due at `moment`, and their runs that nobody carries out."""
    runs = RuleRun.objects.unfinished().filter(pk__in=waiting.values())
    free = in_order(runs.filter(lease_until=None))
    pending = Transfer.objects.filter(pk__in=waiting, status=Transfer.Status.PENDING)
    update_in_order(pending, next_attempt_at=moment)
    RuleRun.objects.filter(pk__in=free).update(next_attempt_at=moment)
