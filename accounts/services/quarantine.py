"""Lets a person believe a reading that a rule put into quarantine."""

from __future__ import annotations

import structlog
from django.db import transaction

from accounts.models import (
    Account,
    Balance,
    Connection,
    Correction,
    QuarantinedReading,
    Severity,
)
from accounts.signals import BalanceChange, balances_rewritten

from . import statements
from .auditing import audit
from .recording import announce
from .statements import write
from .trading.findings import believe_gone

log = structlog.get_logger(__name__)
Status = QuarantinedReading.Status


class CannotAccept(Exception):
    """This reading cannot be accepted."""

    def __init__(self, about: str | None = None) -> None:
        super().__init__(about or self.__doc__)


class NotWaiting(CannotAccept):
    """It is in quarantine no more."""


class NoFigures(CannotAccept):
    """There are no figures in it that could be believed."""


class Outdated(CannotAccept):
    """Something newer was read since."""


def accept_reading(row: QuarantinedReading, *, user, reason: str) -> None:
    """Make a quarantined reading the balance of its account, as `user` says.

    All that rules say against this very reading is settled with it. Where it names
    orders or positions that are gone, they are from now on. Raises NotWaiting, NoFigures
    and Outdated.
    """
    with transaction.atomic():
        # Who syncs holds this too: what is known does not change meanwhile.
        Connection.objects.select_for_update(no_key=True).get(pk=row.connection_id)
        row = QuarantinedReading.objects.select_related("account").get(pk=row.pk)
        if row.status != Status.OPEN:
            raise NotWaiting
        if row.names_the_gone:
            one = QuarantinedReading.objects.filter(pk=row.pk)
            one.decide(Status.ACCEPTED, user, reason)
            believe_gone(row, user=user, reason=reason)
            return
        if None in (row.account, row.total, row.available, row.held):
            raise NoFigures
        before = Balance.objects.filter(account=row.account_id).first()
        if before is not None and before.fetched_at >= row.fetched_at:
            raise Outdated
        same = row.connection.quarantine.filter(
            external_id=row.external_id, fetched_at=row.fetched_at
        )
        same.decide(Status.ACCEPTED, user, reason)
        _believe(row, before, f"accepted by {user}: {reason}")
        told = {"rule": row.rule, "account": row.account_id, "total": row.total}
        audit(
            "reading.accepted",
            row,
            workspace=row.account.workspace_id,
            old={"total": before.total} if before else {},
            new=told | {"as_of": row.as_of},
            reason=reason,
            kind="quarantine",
        )
    log.warning(
        "reading_accepted",
        account=str(row.account_id),
        rule=row.rule,
        total=str(row.total),
        user=user.pk,
        reason=reason,
    )


def _believe(row: QuarantinedReading, before: Balance | None, why: str) -> None:
    amounts = row.total, row.available, row.held
    moments = row.as_of, row.fetched_at
    told = (row.account_id, *amounts, *moments, True, row.source, True)
    write(statements.BALANCES, [told])
    balances_rewritten.send(sender=Balance, accounts=[row.account_id])
    account: Account = row.account
    old = before.total if before else None
    Correction.objects.create(
        sync=row.sync,
        account=account,
        field="total",
        old="" if old is None else str(old),
        new=str(row.total),
        difference="" if old is None else str(row.total - old),
        severity=Severity.WARNING,
        reason=why[:200],
    )
    announce(
        [
            BalanceChange(
                account.pk,
                row.connection_id,
                account.asset,
                old,
                row.total,
                before.available if before else None,
                row.available,
            )
        ]
    )
