"""After a move: what the two accounts hold now, until the next sync reads it."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from accounts.models import Account, Balance, Connection, Source
from accounts.signals import BalanceChange, balance_changed
from automation.models import Transfer

ENTERED = ("total", "available", "as_of", "source", "fetched_at")


def book(row: Transfer, told: Mapping[str, int]) -> None:
    """Enter the balances after `row`: as the provider told, else by its amount."""
    balances = locked(row)
    changes = [
        enter(balances[account.pk], account, row, said, by)
        for account, by in ((row.source, -row.amount), (row.target, row.amount))
        if account.pk in balances
        and older(balances[account.pk], row, said := told.get(account.external_id))
    ]
    if changes:
        entered = [balances[change.account_id] for change in changes]
        Balance.objects.bulk_update(entered, ENTERED)
        transaction.on_commit(
            lambda: balance_changed.send_robust(sender=Transfer, changes=changes)
        )


def locked(row: Transfer) -> dict[UUID, Balance]:
    """Return both balances under the lock that syncs and planners take as well."""
    held = Connection.objects.select_for_update(no_key=True)
    list(held.filter(pk=row.source.connection_id).values_list("pk"))
    return Balance.objects.in_bulk([row.source_id, row.target_id])


def older(balance: Balance, row: Transfer, said: int | None) -> bool:
    """Say whether the reading does not show the move yet.

    One that was made while the bank was acting may show it: then only the bank's own
    figure is entered, and the amount stays reserved until the next reading.
    """
    moment = row.first_sent_at if said is None else row.settled_at
    return moment is not None and balance.as_of < moment


def enter(
    balance: Balance, account: Account, row: Transfer, told: int | None, by: int
) -> BalanceChange:
    """Change one balance. It counts as a fresh reading only if the provider told it."""
    change = told - balance.total if told is not None else by
    news = BalanceChange(
        account_id=account.pk,
        connection_id=account.connection_id,
        asset=account.asset,
        old=balance.total,
        new=balance.total + change,
        old_available=balance.available,
        new_available=balance.available + change,
    )
    balance.total, balance.available = news.new, news.new_available
    balance.as_of = row.settled_at
    balance.source = Source.CACHE  # the next reading makes the snapshot
    if told is not None:
        balance.fetched_at = row.settled_at
    return news
