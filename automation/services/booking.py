"""After a move: its end, and what the two accounts hold until the next sync reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import Account, Source
from accounts.signals import BalanceChange, balance_changed
from automation.models import Transfer

from .compiled import Exchange
from .prepared import execute

# A reading that was made while the bank was acting may show the move: then only the
# bank's own figure is entered. Of a source the amount stays reserved until the next
# reading; to a target nothing is added that it may show already. Nor is an amount entered
# beside an outflow that is reserved so, or on its way: the balance would look younger than
# that one, and nothing would reserve it any longer. It counts as fresh only where the
# provider told the figure; the next one makes the snapshot. The lock that syncs and
# planners take comes first, also before the transfer's own row: a planner that holds it
# must never wait for a transfer that waits for it. Balances are worked out from the rows
# as they are after waiting for that; other transfers are seen as they were before, and
# what was on its way may have ended since.
HOLD = """
held AS (
  SELECT id FROM accounts_connection
  WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
)"""
ENTER = """
settled AS (
  {settled} AND (SELECT count(*) FROM {holder}) > 0
  RETURNING t.id, t.run_id, t.first_sent_at, t.settled_at
), entered AS (
  UPDATE accounts_balance b
  SET total = coalesce(v.told, b.total + v.moved),
      available = b.available + coalesce(v.told - b.total, v.moved),
      as_of = settled.settled_at, source = %s,
      fetched_at = CASE WHEN v.told IS NULL THEN b.fetched_at
                        ELSE settled.settled_at END
  FROM settled, (VALUES {entries}) AS v(transfer_id, account_id, moved, told)
  WHERE v.transfer_id = settled.id AND b.account_id = v.account_id
    AND b.as_of < CASE WHEN v.told IS NULL THEN settled.first_sent_at
                       ELSE settled.settled_at END
    AND (v.told IS NOT NULL OR (
      (v.moved < 0 OR b.fetched_at < settled.first_sent_at)
      AND NOT EXISTS (
        SELECT 1 FROM automation_transfer t
        WHERE t.source_id = b.account_id AND t.id <> settled.id
        AND t.settled_at IS NULL AND t.status <> 'pending')
      AND NOT EXISTS (
        SELECT 1 FROM automation_transfer t
        WHERE t.source_id = b.account_id AND t.id <> settled.id
        AND t.settled_at > b.as_of AND t.settled_at < 'infinity'
        AND t.status = 'done')))
  RETURNING b.account_id, b.total, b.available, v.moved,
    b.fetched_at, b.as_of, b.distrusted
)"""
ENTRY = "(%s::uuid, %s::uuid, %s::numeric, %s::numeric)"
# Several transfers, for a statement that writes more than one: an UPDATE takes rows in any
# order.
SENT = """
sent AS (
  SELECT id FROM automation_transfer
  WHERE id = ANY(%s) AND (SELECT count(*) FROM {after}) > 0
  ORDER BY id FOR NO KEY UPDATE
)"""
# What came of it, as rows of one kind: see `sorted_out`.
TOLD = """
SELECT 'settled', id, NULL::numeric, NULL::numeric, NULL::numeric FROM settled
UNION ALL SELECT 'entered', account_id, total, available, moved FROM entered
"""
BOOK = f"WITH {HOLD}, {ENTER} {TOLD}"
Told = Mapping[str, int]  # what accounts hold, as the provider says, by its own ids


def book(
    exchange: Exchange, row: Transfer, fields: Mapping[str, Any], told: Told
) -> bool:
    """Write `fields` to `row` by `exchange`, and what its accounts hold since.

    That is as the provider told, else by its amount. Returns False, and enters nothing,
    where somebody was faster.
    """
    sql, values = exchange.statement([(row, fields)])
    places, entered = entries([(row, told)])
    whole = BOOK.format(settled=sql, holder="held", entries=places)
    given = [[row.source.connection_id], *values, *entered]
    found = sorted_out(execute(whole, given).fetchall())
    announce([row], found["entered"])
    return bool(found["settled"])


def entries(moved: Sequence[tuple[Transfer, Told]]) -> tuple[str, list[Any]]:
    """Return the places in ENTER of what it is given, and that.

    Whence it is known, and of both accounts of each transfer what.
    """
    given: list[Any] = [Source.CACHE.value]
    for row, told in moved:
        amount = row.amount if row.accepted is None else row.accepted
        for account, sign in ((row.source, -1), (row.target, 1)):
            known = told.get(account.external_id)
            # As an integer the type of each value would depend on its size.
            given += [row.pk, account.pk, Decimal(sign * amount)]
            given.append(None if known is None else Decimal(known))
    return ", ".join([ENTRY] * (2 * len(moved))), given


def sorted_out(rows: Iterable[Sequence[Any]]) -> dict[str, list[Sequence[Any]]]:
    """Return what came of a statement by its kind."""
    found = defaultdict[str, list[Sequence[Any]]](list)
    for kind, *row in rows:
        found[kind].append(row)
    return found


def announce(rows: Iterable[Transfer], entered: Iterable[Sequence[Any]]) -> None:
    """Let others know what was entered of `rows`, once it is committed."""
    accounts = {account.pk: account for r in rows for account in (r.source, r.target)}
    changes = [news(accounts[pk], *amounts) for pk, *amounts in entered]
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
