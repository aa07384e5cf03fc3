"""Protect mode: an account that no rule takes from or pays into until it is released.

A person protects an account until a person releases it. Critical drift protects one until
enough syncs have found nothing, a person has decided about the difference, or releases it.
"""

from __future__ import annotations

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils.timezone import now

from accounts.models import Account, Connection, Discrepancy, Severity

from .auditing import audit

log = structlog.get_logger(__name__)
FREE = {"protected_at": None, "protected_reason": "", "clean_syncs_left": None}
STATE = list(FREE)


def protect(account: Account, *, user) -> Account:
    """Let no rule move money in or out of `account`; doing it twice is doing it once.

    Waits for plans and sends that are just being committed. Once this is committed, no
    transfer of the account is sent that was not begun before.
    """
    with transaction.atomic():
        _alone(account)
        free = Account.objects.filter(pk=account.pk, protected_at=None)
        if free.update(protected_at=now()) == 1:
            log.warning("account_protected", account=str(account.pk), user=user.pk)
        # What drift has protected stays so now, however clean the syncs are.
        mine = Account.objects.filter(pk=account.pk, clean_syncs_left__isnull=False)
        mine.update(clean_syncs_left=None)
    account.refresh_from_db(fields=STATE)
    return account


def _alone(account: Account) -> None:
    """Wait for who plans with what the account holds, and for who sends from or to it.

    Planners hold the connection, senders the account itself, as weakly as they can.
    """
    Connection.objects.select_for_update(no_key=True).get(pk=account.connection_id)
    Account.objects.select_for_update().get(pk=account.pk)


def release(account: Account, *, user) -> Account:
    """Let rules move money in and out of `account` again."""
    kept = Account.objects.filter(pk=account.pk, protected_at__isnull=False)
    if kept.update(**FREE) == 1:
        log.warning("account_released", account=str(account.pk), user=user.pk)
    account.refresh_from_db(fields=STATE)
    return account


def decide(rows: QuerySet[Discrepancy], outcome: str, user) -> int:
    """Close open discrepancies as `user` says, and return how many there were.

    An account that drift protects is released with the last of its critical ones.
    """
    with transaction.atomic():
        accounts = list(rows.values_list("account", flat=True))
        owners = Connection.objects.filter(accounts__in=accounts).order_by("pk")
        # Who syncs writes discrepancies and accounts too, and holds this first.
        list(owners.select_for_update(no_key=True, of=("self",)))
        waiting = list(rows.filter(status=Discrepancy.Status.OPEN))
        closed = rows.decide(outcome, user)
        for row in waiting:
            _write_down(row, outcome)
        grave = Discrepancy.objects.filter(
            status=Discrepancy.Status.OPEN, severity=Severity.CRITICAL
        ).exclude(protected_at=None)
        calm = Account.objects.filter(pk__in=accounts, clean_syncs_left__isnull=False)
        for account in calm.exclude(pk__in=grave.values("account")).order_by("pk"):
            release(account, user=user)
    return closed


def _write_down(row: Discrepancy, outcome: str) -> None:
    told = {"account": row.account_id, "name": row.name, "severity": row.severity}
    figures = {"expected": row.expected, "actual": row.actual}
    audit(
        f"discrepancy.{outcome}",
        row,
        workspace=row.account.workspace_id,
        old={"status": row.status},
        new=told | figures | {"status": outcome},
    )
