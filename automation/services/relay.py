"""The next transfer out of an account, begun by the statement that ends the one before.

Claimed by itself, it is written, its balances are read, and it is written again. Here the
place that an account has for one unsettled outflow goes from one transfer to the next, and
is free at no moment: since the balances were read on which the one before was sent, nobody
else can have begun to take money out of the account. What else was leaving it then is no
less than what leaves it now. So it is judged beforehand on what will be held, and begins if
that is what is held, and if nobody has stopped it; else it waits to be claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.timezone import now

from accounts.models import Balance, Source
from automation.machine import Part, TransferState
from automation.models import RuleRun, Transfer

from .beginning import begun
from .booking import ENTER, HOLD, Told, announce, entries
from .prepared import execute
from .rows import TRANSFER, take, transfer_fields
from .succeeding import sorted_out
from .switches import HELD_TRUE, SWITCHES, switches_of
from .terms import log_readings

# In the order that everybody keeps to: connections, switches, transfers. Only the target
# is read here; what the source holds has just been written.
RELAY = f"""
WITH {HOLD}, switches AS (
  {SWITCHES} AND (SELECT count(*) FROM held) > 0 {HELD_TRUE}
), {ENTER}, filled AS (
  SELECT total FROM accounts_balance
  WHERE account_id = %s AND (SELECT count(*) FROM settled) > 0 FOR NO KEY UPDATE
), free AS (
  SELECT FROM switches s JOIN entered e ON e.account_id = %s
  WHERE NOT (s.paused OR s.dry OR s.source OR s.target OR s.off OR e.distrusted)
  AND (e.total, e.available, e.fetched_at) = (%s::numeric, %s::numeric, %s::timestamptz)
  AND (%s::numeric IS NULL OR %s::numeric = (SELECT total FROM filled))
), begun AS (
  {{begun}} AND (SELECT count(*) FROM free) > 0 RETURNING t.id
)
SELECT 'settled', id, NULL::numeric, NULL::numeric, NULL::numeric FROM settled
UNION ALL SELECT 'entered', account_id, total, available, moved FROM entered
UNION ALL SELECT 'begun', id, NULL, NULL, NULL FROM begun
"""


@dataclass(slots=True)
class Successor:
    """A transfer that begins as another ends, and what its source holds from then on."""

    row: Transfer
    fields: Mapping[str, Any]
    source: Balance

    def expected(self) -> list[Any]:
        """Return what RELAY compares: what both ends hold, as it was judged."""
        row, source = self.row, self.source
        # Where the target is no pot, it is the source that the answer is held against.
        filled = row.held_before if row.target.parent_id else None
        total = None if filled is None else Decimal(filled)
        mine = [Decimal(source.total), Decimal(source.available), source.fetched_at]
        return [row.target_id, row.source_id, *mine, total, total]


@dataclass(slots=True)
class Relay:
    """Two transfers of `run`: `row`, and `following` with its `part` of a move."""

    run: RuleRun
    row: Transfer
    following: Transfer
    part: Part

    def __call__(self, after: TransferState, told: Told) -> bool | None:
        """Write `after`, as `book` does, and that the next begins, if it may.

        Returns whether `row` was written. None, and nothing is written, where the one
        that follows has to be claimed by itself.
        """
        row, following = self.row, self.following
        fields = transfer_fields(row, after)
        before = following.held_before, following.good_until
        try:
            next_ = self.successor(fields, told)
            return (
                None if next_ is None else hand_on(self.run, row, fields, told, next_)
            )
        finally:
            if not following.begun:
                following.held_before, following.good_until = before

    def successor(self, fields: Mapping[str, Any], told: Told) -> Successor | None:
        """Return how the next begins as `row` ends; None where it has to wait.

        That is where it leaves another account, which others may take money out of;
        where it goes where the one before it went, so that its target is not as it was
        read; and where it could not be paid.
        """
        row, following = self.row, self.following
        known = getattr(row.source, "balance", None)
        apart = following.source_id != row.source_id
        if apart or following.target_id == row.target_id or known is None:
            return None
        source = entered(known, row, fields, told)
        balances = {row.source_id: source}
        if filled := getattr(following.target, "balance", None):
            balances[following.target_id] = filled
        sending = begun(self.run, following, self.part, balances)
        if sending is None:
            return None
        return Successor(following, transfer_fields(following, sending), source)


def entered(
    known: Balance, row: Transfer, fields: Mapping[str, Any], told: Told
) -> Balance:
    """Return what the source of `row` holds once ENTER has been through it."""
    balance, said = copy(known), told.get(row.source.external_id)
    moved = -row.amount if said is None else said - known.total
    balance.total += moved
    balance.available += moved
    balance.as_of, balance.source = fields["settled_at"], Source.CACHE
    if said is not None:
        balance.fetched_at = balance.as_of
    return balance


def hand_on(
    run: RuleRun, row: Transfer, fields: Mapping[str, Any], told: Told, next_: Successor
) -> bool:
    """Write the end of `row`, and the beginning of the next if all is as it was judged."""
    settled, values = TRANSFER.statement([(row, fields)])
    begins, theirs = TRANSFER.statement([(next_.row, next_.fields)])
    places, amounts = entries([(row, told)])
    sql = RELAY.format(settled=settled, holder="switches", entries=places, begun=begins)
    given = [
        [row.source.connection_id],
        *switches_of(next_.row),
        *(*values, *amounts, *next_.expected(), *theirs),
    ]
    found = sorted_out(execute(sql, given).fetchall())
    announce([row], found["entered"])
    if found["settled"]:
        take(row, fields)
    if found["begun"]:
        take(next_.row, next_.fields)
        next_.row.begun, next_.row.source.balance = True, next_.source
        log_readings(run.rule, [next_.row.source], now())
    return bool(found["settled"])
