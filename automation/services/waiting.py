"""Who waits for what a run has left: an account, or money that it moved."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, UUIDField, Value

from automation.machine.transfer import BUSY
from automation.models import RuleRun, Transfer

from .compiled import Compiled
from .locks import hold
from .shortage import short

Ids = tuple[UUID, ...]
Status = RuleRun.Status


def in_line(
    runs: Ids, moment: datetime, *, settled: bool = False
) -> QuerySet[Transfer]:
    """Return what waits only for an account that one of `runs` left, and is free by now.

    What stands behind an open transfer of its own run waits for that one. Were it waked,
    its run would come to rest before it, and wake it again, for as long as that waits.
    `settled`: all that `runs` have begun is settled, or is with the statement that asks.
    """
    holding = Transfer.objects.uncertain().filter(
        source=OuterRef("source"), needs_person=False
    )
    if settled:
        holding = holding.exclude(run__in=runs)
    place = Q(move=OuterRef("move"), step__lt=OuterRef("step"))
    before = Transfer.objects.filter(
        Q(move__lt=OuterRef("move")) | place, run=OuterRef("run"), settled_at=None
    )
    waiting = Transfer.objects.filter(
        ~Exists(holding),
        ~Exists(
            before.exclude(needs_person=True).exclude(depends_on__needs_person=True)
        ),
        settled_at=None,
        status=Transfer.Status.PENDING,
        error_code=BUSY,
        source__in=Transfer.objects.filter(run__in=runs).order_by().values("source"),
        run__in=RuleRun.objects.unfinished().filter(
            lease_until=None, next_attempt_at__gt=moment
        ),
    )
    return waiting.values_list("pk", "run_id")


def short_of_it(runs: Ids, moment: datetime) -> QuerySet[RuleRun]:
    """Return the runs that found too little where `runs` have moved money."""
    touched = (
        Transfer.objects.filter(run__in=runs).order_by().values("source__connection")
    )
    found = short(moment, touched).order_by()
    return found.values_list("pk", Value(None, UUIDField()))


def waiters(workspace: UUID, moment: datetime) -> QuerySet[RuleRun]:
    """Return a run of `workspace` that waits for something, if there is one.

    Most often nobody does, and whom to wake need not be asked.
    """
    waiting = RuleRun.objects.filter(
        status__in=[Status.DUE, Status.PLANNED, Status.RUNNING],
        lease_until=None,
        next_attempt_at__gt=moment,
        rule__workspace=workspace,
    )
    return waiting.order_by().values_list("pk", flat=True)[:1]


@transaction.atomic
def let_end(run: RuleRun) -> None:
    """Let whoever is just ending a transfer that `run` waits for come to that end.

    They looked for who waits before this run did, and hold the connection meanwhile.
    """
    waiting = Transfer.objects.filter(
        run=run, status=Transfer.Status.PENDING, error_code=BUSY
    )
    hold(waiting.values("source__connection"))


WAITERS = Compiled(waiters)
IN_LINE = Compiled(in_line)
WAITING = Compiled(
    lambda runs, moment: (
        in_line(runs, moment, settled=True)
        .order_by()
        .union(short_of_it(runs, moment), all=True)
    )
)
