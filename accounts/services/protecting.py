"""Protect mode: an account that no rule takes from or pays into until it is released."""

from __future__ import annotations

import structlog
from django.utils.timezone import now

from accounts.models import Account

log = structlog.get_logger(__name__)


def protect(account: Account, *, user) -> Account:
    """Let no rule move money in or out of `account`; doing it twice is doing it once."""
    free = Account.objects.filter(pk=account.pk, protected_at=None)
    if free.update(protected_at=now()) == 1:
        log.warning("account_protected", account=str(account.pk), user=user.pk)
    account.refresh_from_db(fields=["protected_at"])
    return account


def release(account: Account, *, user) -> Account:
    """Let rules move money in and out of `account` again."""
    kept = Account.objects.filter(pk=account.pk, protected_at__isnull=False)
    if kept.update(protected_at=None) == 1:
        log.warning("account_released", account=str(account.pk), user=user.pk)
    account.protected_at = None
    return account
