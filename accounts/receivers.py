"""Lets no copy outlive what it was made of: balances, and who may read them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from knox.models import AuthToken

from .models import Balance, Connection, Membership, SigningKey
from .services import instant
from .signals import (
    BalanceChange,
    access_revoked,
    balance_changed,
    balances_rewritten,
)

# What of a connection stands beside each of its balances that are kept.
JUDGING = frozenset({"health", "archived_at", "sync_interval_seconds", "error"})
JUDGING |= {"failures", "last_sync_at"}


@receiver(balance_changed)
def mark_changed(sender: Any, *, changes: Sequence[BalanceChange], **_: Any) -> None:
    """Mark what was changed by whoever keeps no copy: a sync has written its own."""
    if sender is not Balance:
        instant.write({}, [change.account_id for change in changes])


@receiver(balances_rewritten)
def mark_rewritten(sender: Any, *, accounts: Collection[UUID], **_: Any) -> None:
    """Mark now, should this process die, and once others can read the rows."""
    if accounts:
        instant.write({}, accounts)
        transaction.on_commit(partial(instant.write, {}, accounts), robust=True)


@receiver([post_save, post_delete], sender=Balance)
def mark_saved(sender: Any, *, instance: Balance, **_: Any) -> None:
    """Mark the account whose balance was saved or deleted."""
    mark_rewritten(sender, accounts=[instance.pk])


@receiver(post_save, sender=Connection)
def mark_connection(
    sender: Any,
    *,
    instance: Connection,
    created: bool,
    update_fields: Collection[str] | None = None,
    **_: Any,
) -> None:
    """Mark the accounts of a connection that is judged otherwise from now on."""
    if created or (update_fields is not None and JUDGING.isdisjoint(update_fields)):
        return
    accounts = list(instance.accounts.values_list("pk", flat=True))
    mark_rewritten(sender, accounts=accounts)


@receiver(access_revoked)
@receiver([post_save, post_delete], sender=Membership)
@receiver([post_save, post_delete], sender=SigningKey)
@receiver(post_delete, sender=AuthToken)
@receiver([post_save, post_delete], sender=settings.AUTH_USER_MODEL)
def forget_callers(
    sender: Any, *, update_fields: Collection[str] | None = None, **_: Any
) -> None:
    """Let every process look up anew who may read what."""
    if update_fields is not None and set(update_fields) == {"last_login"}:
        return  # with every login
    instant.revoke_access()
    transaction.on_commit(instant.revoke_access, robust=True)
