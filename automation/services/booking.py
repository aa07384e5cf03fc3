"""After a move: its end, and what the two accounts hold until the next sync reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction

from accounts.models import Account, Source
from accounts.signals import BalanceChange, balance_changed
from automation.models import Transfer

from .compiled import Exchange
from .prepared import execute

# A reading that was made while the bank was acting may show the move: then only the
# bank's own figure is entered, and the amount stays reserved until the next reading.
# Nor is an amount entered beside one that is reserved so: the balance would look
# younger than that move, and nothing would reserve it any longer. It counts as fresh
# only where the provider told the figure; the next one makes the snapshot. The lock
# that syncs and planners take comes first, also before the transfer's own row: a planner
# that holds it must never wait for a transfer that waits for it. All that is entered is
# worked out from the rows as they are after waiting for that.
HOLD = """
held AS (
  SELECT id FROM accounts_connection WHERE id = %s FOR NO KEY UPDATE
)"""
ENTER = """
settled AS (
  {settled} AND EXISTS (SELECT 1 FROM {holder}) RETURNING id, first_sent_at, settled_at
), entered AS (
  UPDATE accounts_balance b
  SET total = coalesce(v.told, b.total + v.moved),
      available = b.available + coalesce(v.told - b.total, v.moved),
      as_of = settled.settled_at, source = %s,
      fetched_at = CASE WHEN v.told IS NULL THEN b.fetched_at
                        ELSE settled.settled_at END
  FROM settled, (VALUES (%s, %s::numeric, %s::numeric),
                        (%s, %s::numeric, %s::numeric)) AS v(account_id, moved, told)
  WHERE b.account_id = v.account_id
    AND b.as_of < CASE WHEN v.told IS NULL THEN settled.first_sent_at
                       ELSE settled.settled_at END
    AND (v.told IS NOT NULL OR NOT EXISTS (
      SELECT 1 FROM automation_transfer t
      WHERE t.source_id = b.account_id AND t.id <> settled.id
      AND t.status = 'done' AND t.settled_at > b.as_of))
  RETURNING b.account_id, b.total, b.available, v.moved
)"""
BOOK = f"WITH {HOLD}, {ENTER} SELECT e.* FROM settled LEFT JOIN entered e ON true"


def book(
    exchange: Exchange, row: Transfer, fields: dict[str, Any], told: Mapping[str, int]
) -> bool:
    """Write `fields` to `row` by `exchange`, and what its accounts hold since.

    That is as the provider told, else by its amount. Returns False, and enters nothing,
    where somebody was faster.
    """
    sql, values = exchange.statement(row, fields)
    given = [row.source.connection_id, *values, *entries(row, told)]
    answer = execute(BOOK.format(settled=sql, holder="held"), given).fetchall()
    announce(row, answer)
    return bool(answer)


def entries(row: Transfer, told: Mapping[str, int]) -> list[Any]:
    """Return what ENTER is given: whence it is known, and of both accounts what."""
    given: list[Any] = [Source.CACHE.value]
    for account, sign in ((row.source, -1), (row.target, 1)):
        given += [account.pk, sign * int(row.amount), told.get(account.external_id)]
    return given


def announce(row: Transfer, entered: Iterable[Sequence[Any]]) -> None:
    """Let others know what was entered, once it is committed."""
    accounts = {row.source_id: row.source, row.target_id: row.target}
    changes = [
        news(accounts[pk], *amounts) for pk, *amounts in entered if pk is not None
    ]
    if changes:
        transaction.on_commit(
            lambda: balance_changed.send_robust(sender=Transfer, changes=changes)
        )


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
