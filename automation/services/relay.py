"""The next transfer of a run, begun in the moment in which the one before it ends.

Claimed by itself, it is written, its balances are read, and it is written again. Most often
both leave the same account. Then the place that this has for one unsettled outflow goes from
one transfer to the next, and is free at no moment: since the balances were read on which the
one before was sent, nobody else can have begun to take money out of the account. What else
was leaving it then is no less than what leaves it now. So the next is judged beforehand on
what will be held, and the statement that ends the one before begins it, if that is what is
held, and if nobody has stopped it. Out of another account it begins in the same transaction,
on what is read there. Else it waits to be claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.timezone import now

from accounts.models import Balance, Source
from automation.machine import Part, TransferState
from automation.models import RuleRun, Transfer

from .beginning import begun
from .booking import ENTER, HOLD, SENT, TOLD, Told, announce, entries, sorted_out
from .funds import readings
from .prepared import execute
from .rows import TRANSFER, busy, take, transfer_fields
from .switches import AT_HAND, switches_of
from .terms import log_readings

# The end of the one before waits for nobody who changes a switch: then the next does not
# begin. Nothing is waited for once the switches are held, so they may come last.
END = f"""
WITH {HOLD}, {SENT.format(after="held")}, {ENTER}, moving AS (
  SELECT FROM ({AT_HAND.format(more="AND (SELECT count(*) FROM settled) > 0")}) s
  WHERE NOT (s.paused OR s.dry OR s.source OR s.target OR s.off)
)"""
# Only the target is read here; what the source holds has just been written.
RELAY = f"""
{END}, filled AS (
  SELECT total FROM accounts_balance
  WHERE account_id = %s AND (SELECT count(*) FROM settled) > 0 FOR NO KEY UPDATE
), free AS (
  SELECT FROM moving, entered e WHERE e.account_id = %s AND NOT e.distrusted
  AND (e.total, e.available, e.fetched_at) = (%s::numeric, %s::numeric, %s::timestamptz)
  AND (%s::numeric IS NULL OR %s::numeric = (SELECT total FROM filled))
), begun AS (
  {{begun}} AND (SELECT count(*) FROM free) > 0 RETURNING t.id
)
{TOLD} UNION ALL SELECT 'begun', id, NULL, NULL, NULL FROM begun
"""
ALONE = f"{END} {TOLD} UNION ALL SELECT 'free', NULL, NULL, NULL, NULL FROM moving"


@dataclass(slots=True)
class Relay:
    """Two transfers of `run`: `row`, and `following` with its `part` of a move."""

    run: RuleRun
    row: Transfer
    following: Transfer
    part: Part
    due: Callable[[], bool]  # whether the next may be claimed as things stand

    def __call__(self, after: TransferState, told: Told) -> bool | None:
        """Write `after`, as `book` does, and that the next begins, if it may.

        Returns whether `row` was written. None, and nothing is written, where the one
        that follows has to be claimed by itself.
        """
        row, following = self.row, self.following
        fields = transfer_fields(row, after)
        before = following.held_before, following.good_until
        same = following.source_id == row.source_id
        try:
            return self.hand_on(fields, told) if same else self.beside(fields, told)
        finally:
            if not following.begun:
                following.held_before, following.good_until = before

    def beside(self, fields: Mapping[str, Any], told: Told) -> bool | None:
        """Write `fields`, and then that the next begins, which leaves another account.

        Others may have begun to take money out of that. So what it holds is read once
        the connection is held, as a planner does.
        """
        row, following = self.row, self.following
        if following.source.connection_id != row.source.connection_id:
            return None
        known = {name: getattr(row, name) for name in fields}
        try:
            with transaction.atomic():
                found = end(ALONE, row, fields, told, following)
                claimed = self.claimed() if found["settled"] and found["free"] else None
        except IntegrityError as error:
            take(row, known)  # nothing of it was written
            if not busy(error):
                raise
            return None
        if claimed is not None:
            self.begin(claimed)
        return bool(found["settled"])

    def claimed(self) -> Mapping[str, Any] | None:
        """Write that the next begins on what is held now; return it where it may."""
        following = self.following
        if not self.due():
            return None
        sending = begun(self.run, following, self.part, readings(following))
        if sending is None:
            return None
        fields = transfer_fields(following, sending)
        return fields if TRANSFER(following, fields) else None

    def begin(self, fields: Mapping[str, Any]) -> None:
        """Make the next ready to be sent, as was committed."""
        take(self.following, fields)
        self.following.begun = True
        log_readings(self.run.rule, [self.following.source], now())

    def hand_on(self, fields: Mapping[str, Any], told: Told) -> bool | None:
        """Write `fields`, and that the next begins if all is as it was judged.

        It waits where it goes where the one before it went: its target is then not as
        it was read.
        """
        row, following = self.row, self.following
        known = getattr(row.source, "balance", None)
        if following.target_id == row.target_id or known is None or not self.due():
            return None
        source = entered(known, row, fields, told)
        balances = {row.source_id: source}
        if filled := getattr(following.target, "balance", None):
            balances[following.target_id] = filled
        sending = begun(self.run, following, self.part, balances)
        if sending is None:
            return None
        begins = transfer_fields(following, sending)
        sql, theirs = TRANSFER.statement([(following, begins)])
        more = [*expected(following, source), *theirs]
        found = end(RELAY, row, fields, told, following, *more, begun=sql)
        if found["begun"]:
            following.source.balance = source
            self.begin(begins)
        return bool(found["settled"])


def expected(row: Transfer, source: Balance) -> list[Any]:
    """Return what RELAY compares: what both ends of `row` hold, as it was judged."""
    # Where the target is no pot, it is the source that the answer is held against.
    filled = row.held_before if row.target.parent_id else None
    total = None if filled is None else Decimal(filled)
    mine = [Decimal(source.total), Decimal(source.available), source.fetched_at]
    return [row.target_id, row.source_id, *mine, total, total]


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


def end(
    statement: str,
    row: Transfer,
    fields: Mapping[str, Any],
    told: Told,
    following: Transfer,
    *more: Any,
    **parts: str,
) -> Mapping[str, Sequence[Any]]:
    """Return what came of a statement that ends `row`, for `following` to begin."""
    settled, values = TRANSFER.statement([(row, fields)])
    places, amounts = entries([(row, told)])
    sql = statement.format(settled=settled, holder="sent", entries=places, **parts)
    held = [row.source.connection_id], [row.pk, following.pk]
    given = [*held, *values, *amounts, *switches_of(following), *more]
    found = sorted_out(execute(sql, given).fetchall())
    announce([row], found["entered"])
    if found["settled"]:
        take(row, fields)
    return found
