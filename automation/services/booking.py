"""After a move: what the two accounts hold now, until the next sync reads it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from accounts.models import Account, Connection, Source
from accounts.signals import BalanceChange, balance_changed
from automation.models import Transfer

# A reading that was made while the bank was acting may show the move: then only the
# bank's own figure is entered, and the amount stays reserved until the next reading.
# It counts as fresh only where the provider told the figure; the next one makes the
# snapshot.
ENTER = """
UPDATE accounts_balance b
SET total = b.total + t.change, available = b.available + t.change, as_of = %(at)s,
    source = %(source)s,
    fetched_at = CASE WHEN t.told THEN %(at)s ELSE b.fetched_at END
FROM (
  SELECT w.account_id, w.as_of, v.told IS NOT NULL AS told,
         coalesce(v.told - w.total, v.moved) AS change
  FROM (VALUES (%(source_id)s, -%(amount)s, %(source_told)s::numeric),
               (%(target_id)s, %(amount)s, %(target_told)s::numeric))
    AS v(account_id, moved, told)
  JOIN accounts_balance w ON w.account_id = v.account_id
) AS t
WHERE b.account_id = t.account_id
  AND b.as_of < CASE WHEN t.told THEN %(at)s ELSE %(sent)s END
RETURNING b.account_id, b.total, b.available, t.change
"""


def lock(row: Transfer) -> None:
    """Keep syncs and planners away from both accounts until the transaction ends.

    To be called before the transfer's own row is written: a planner that holds this
    lock must never wait for a transfer that waits for the lock.
    """
    held = Connection.objects.select_for_update(no_key=True).order_by()
    list(held.filter(pk=row.source.connection_id).values_list("pk"))


def book(row: Transfer, told: Mapping[str, int]) -> None:
    """Enter the balances after `row`: as the provider told, else by its amount."""
    with connection.cursor() as cursor:
        cursor.execute(ENTER, words(row, told))
        entered = cursor.fetchall()
    accounts = {row.source_id: row.source, row.target_id: row.target}
    changes = [news(accounts[pk], *amounts) for pk, *amounts in entered]
    if changes:
        transaction.on_commit(
            lambda: balance_changed.send_robust(sender=Transfer, changes=changes)
        )


def words(row: Transfer, told: Mapping[str, int]) -> dict[str, Any]:
    sent: datetime | None = row.first_sent_at
    return {
        "at": row.settled_at,
        "sent": sent,
        "source": Source.CACHE.value,
        "amount": int(row.amount),
        "source_id": row.source_id,
        "source_told": told.get(row.source.external_id),
        "target_id": row.target_id,
        "target_told": told.get(row.target.external_id),
    }


def news(account: Account, total: int, available: int, change: int) -> BalanceChange:
    return BalanceChange(
        account_id=account.pk,
        connection_id=account.connection_id,
        asset=account.asset,
        old=int(total - change),
        new=int(total),
        old_available=int(available - change),
        new_available=int(available),
    )
