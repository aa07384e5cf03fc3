"""What automation does about news from below."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from accounts.signals import (
    BalanceChange,
    balance_changed,
    movements_read,
    webhook_fetched,
)

from .models import Transfer
from .services import wake_seers, wake_short, wake_triggers, wake_webhooks


@receiver(balance_changed)
def look_at_balances(
    sender: Any, *, changes: Sequence[BalanceChange], **_: Any
) -> None:
    """Let triggers be looked at whose accounts changed, but not by our own hand.

    A run that ends tells of the balances it changed; what it moved is neither a salary
    nor a transaction.
    """
    if sender is not Transfer:
        wake_triggers(change.account_id for change in changes)


@receiver(movements_read)
def look_at_movements(sender: Any, *, accounts: Collection[UUID], **_: Any) -> None:
    """Let triggers that wait for a movement look, whatever kind of sync has read it."""
    wake_seers(accounts)


@receiver(balance_changed)
def try_again(sender: Any, *, changes: Sequence[BalanceChange], **_: Any) -> None:
    """Let runs that found too little look again, whoever brought the money.

    What a run moves wakes them with that run: see `wake`.
    """
    if sender is not Transfer:
        wake_short({change.connection_id for change in changes})


@receiver(webhook_fetched)
def start_for_webhooks(
    sender: Any, *, connection_id: UUID, event_id: str, **_: Any
) -> None:
    """Start the rules that wait for news from this connection."""
    wake_webhooks(connection_id, event_id)
