"""Protect mode: an account that no rule takes from or pays into until it is released."""

from __future__ import annotations

import structlog
from django.db import transaction
from django.utils.timezone import now

from accounts.models import Account, Connection

log = structlog.get_logger(__name__)


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
    account.refresh_from_db(fields=["protected_at"])
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
    if kept.update(protected_at=None) == 1:
        log.warning("account_released", account=str(account.pk), user=user.pk)
    account.protected_at = None
    return account
