"""What automation does about news from below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.dispatch import receiver

from accounts.signals import BalanceChange, balance_changed

from .models import Transfer
from .services import wake_paydays, wake_short


@receiver(balance_changed)
def look_for_salaries(
    sender: Any, *, changes: Sequence[BalanceChange], **_: Any
) -> None:
    """Let payday triggers be looked at where money came in, but not by our own hand."""
    grown = [c.account_id for c in changes if c.old is None or c.new > c.old]
    if grown and sender is not Transfer:
        wake_paydays(grown)


@receiver(balance_changed)
def try_again(sender: Any, *, changes: Sequence[BalanceChange], **_: Any) -> None:
    """Let runs that found too little look again, whoever brought the money."""
    wake_short({change.connection_id for change in changes})
