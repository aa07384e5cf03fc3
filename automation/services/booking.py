"""After a move: what the two accounts hold now, until the next sync reads it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import Account, Source
from accounts.signals import BalanceChange, balance_changed
from automation.models import Transfer

from .prepared import execute

# A reading that was made while the bank was acting may show the move: then only the
# bank's own figure is entered, and the amount stays reserved until the next reading.
# Nor is an amount entered beside one that is reserved so: the balance would look
# younger than that move, and nothing would reserve it any longer. It counts as fresh
# only where the provider told the figure; the next one makes the snapshot. The lock
# that syncs and planners take comes first, and all that is entered is worked out from
# the row as it is after waiting for that.
ENTER = """
WITH held AS (
  SELECT id FROM accounts_connection WHERE id = %(connection)s FOR NO KEY UPDATE
)
UPDATE accounts_balance b
SET total = coalesce(v.told, b.total + v.moved),
    available = b.available + coalesce(v.told - b.total, v.moved),
    as_of = %(at)s, source = %(source)s,
    fetched_at = CASE WHEN v.told IS NULL THEN b.fetched_at ELSE %(at)s END
FROM held, (VALUES (%(source_id)s, -%(amount)s, %(source_told)s::numeric),
                   (%(target_id)s, %(amount)s, %(target_told)s::numeric))
  AS v(account_id, moved, told)
WHERE b.account_id = v.account_id
  AND b.as_of < CASE WHEN v.told IS NULL THEN %(sent)s ELSE %(at)s END
  AND (v.told IS NOT NULL OR NOT EXISTS (
    SELECT 1 FROM automation_transfer t
    WHERE t.source_id = b.account_id AND t.id <> %(transfer)s
    AND t.status = 'done' AND t.settled_at > b.as_of))
RETURNING b.account_id, b.total, b.available, v.moved
"""


def book(row: Transfer, settled_at: datetime | None, told: Mapping[str, int]) -> None:
    """Enter the balances after `row`: as the provider told, else by its amount.

    To be called before the transfer's own row is written: a planner that holds the lock
    must never wait for a transfer that waits for the lock.
    """
    entered = execute(ENTER, words(row, settled_at, told)).fetchall()
    accounts = {row.source_id: row.source, row.target_id: row.target}
    changes = [news(accounts[pk], *amounts) for pk, *amounts in entered]
    if changes:
        transaction.on_commit(
            lambda: balance_changed.send_robust(sender=Transfer, changes=changes)
        )


def words(
    row: Transfer, settled_at: datetime | None, told: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "transfer": row.pk,
        "connection": row.source.connection_id,
        "at": settled_at,
        "sent": row.first_sent_at,
        "source": Source.CACHE.value,
        "amount": int(row.amount),
        "source_id": row.source_id,
        "source_told": told.get(row.source.external_id),
        "target_id": row.target_id,
        "target_told": told.get(row.target.external_id),
    }


def news(account: Account, total: int, available: int, moved: int) -> BalanceChange:
    return BalanceChange(
        account_id=account.pk,
        connection_id=account.connection_id,
        asset=account.asset,
        old=int(total - moved),
        new=int(total),
        old_available=int(available - moved),
        new_available=int(available),
    )
