"""The next transfer of a run, begun in the moment in which the one before it ends.

Claimed by itself, it is written, its balances are read, and it is written again. Here it is
judged beforehand, on what will be held once the one before has ended. The statement that
ends that one begins it, if what it was judged on is held, if no more leaves its source than
was known, and if nobody has stopped it. Else it waits to be claimed.

Most often both leave the same account. Then the place that this has for one unsettled
outflow goes from one transfer to the next, and is free at no moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.utils.timezone import now

from accounts.models import Account, Balance, Source
from automation.machine import Part, TransferState
from automation.models import RuleRun, Transfer

from .beginning import begun
from .booking import ENTER, HOLD, SENT, TOLD, Told, announce, entries, sorted_out
from .prepared import execute
from .rows import TRANSFER, busy, take, transfer_fields
from .switches import AT_HAND, switches_of
from .terms import log_readings

BALANCE = Account._meta.get_field("balance")
HELD = "b.account_id, b.total, b.available, b.fetched_at, b.as_of, b.distrusted"
# The end of the one before waits for nobody who changes a switch: then the next does not
# begin. Once the switches are held only the index on unsettled outflows may be waited for,
# where somebody is just taking money out of the same account; so they come last. What is
# entered is not read as a row: this statement has changed it. What leaves the source is
# asked for by a function, which sees what was committed while the connection was waited
# for, and what this statement has done.
RELAY = f"""
WITH {HOLD}, {SENT.format(after="held")}, {ENTER}, kept AS (
  SELECT {HELD} FROM accounts_balance b
  WHERE b.account_id = ANY(%s) AND (SELECT count(*) FROM settled) > 0
    AND b.account_id <> ALL (ARRAY(SELECT account_id FROM entered))
  ORDER BY b.account_id FOR NO KEY UPDATE
), found AS (
  SELECT {HELD} FROM entered b UNION ALL SELECT * FROM kept
), moving AS (
  SELECT FROM ({AT_HAND.format(more="AND (SELECT count(*) FROM found) > 0")}) s
  WHERE NOT (s.paused OR s.dry OR s.source OR s.target OR s.off)
), free AS (
  SELECT FROM moving, found f WHERE f.account_id = %s AND NOT f.distrusted
  AND (f.total, f.available, f.fetched_at) = (%s::numeric, %s::numeric, %s::timestamptz)
  AND automation_leaving(f.account_id, f.as_of) <= %s::numeric
  AND (%s::numeric IS NULL
       OR %s::numeric = (SELECT total FROM found WHERE account_id = %s))
), begun AS (
  {{begun}} AND (SELECT count(*) FROM free) > 0 RETURNING t.id
)
{TOLD} UNION ALL SELECT 'begun', id, NULL, NULL, NULL FROM begun
"""


@dataclass(slots=True)
class Relay:
    """Two of the transfers of `run`: `row`, and `following` with its `part` of a move."""

    run: RuleRun
    steps: Sequence[Transfer]
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
        if following.source.connection_id != row.source.connection_id:
            return None
        noted = following.held_before, following.good_until
        try:
            return self.hand_on(transfer_fields(row, after), told)
        finally:
            if not following.begun:
                following.held_before, following.good_until = noted

    def hand_on(self, fields: Mapping[str, Any], told: Told) -> bool | None:
        """Write `fields`, and that the next begins if all is as it is judged."""
        row, following = self.row, self.following
        balances = foreseen(row, following, fields["settled_at"], told)
        sending = self.judged(fields, balances)
        if sending is None:
            return None
        begins = transfer_fields(following, sending)
        try:
            found = self.write(fields, told, begins, balances)
        except IntegrityError as error:
            if not busy(error):
                raise
            return None  # nothing was written
        announce([row], found["entered"])
        if found["settled"]:
            take(row, fields)
            know(self.steps, balances)
        if found["begun"]:
            take(following, begins)
            following.begun = True
            log_readings(self.run.rule, [following.source], now())
        return bool(found["settled"])

    def judged(
        self, fields: Mapping[str, Any], balances: Mapping[UUID, Balance]
    ) -> TransferState | None:
        """Return the next one about to be sent, if it may be once `fields` are written."""
        row, following = self.row, self.following
        # Who plans or claims reads what leaves an account; what is only loaded lacks that.
        if not hasattr(balances.get(following.source_id), "leaving"):
            return None
        before = {name: getattr(row, name) for name in fields}
        take(row, fields)
        try:
            due = self.due()
        finally:
            take(row, before)
        return begun(self.run, following, self.part, balances) if due else None

    def write(
        self,
        fields: Mapping[str, Any],
        told: Told,
        begins: Mapping[str, Any],
        balances: Mapping[UUID, Balance],
    ) -> Mapping[str, Sequence[Any]]:
        """Return what came of the statement; raises IntegrityError."""
        row, following = self.row, self.following
        settled, values = TRANSFER.statement([(row, fields)])
        claimed, theirs = TRANSFER.statement([(following, begins)])
        places, amounts = entries([(row, told)])
        sql = RELAY.format(
            settled=settled, holder="sent", entries=places, begun=claimed
        )
        given = [[row.source.connection_id], [row.pk, following.pk], *values, *amounts]
        given += [[following.source_id, following.target_id], *switches_of(following)]
        given += expected(following, balances[following.source_id])
        return sorted_out(execute(sql, [*given, *theirs]).fetchall())


def foreseen(
    row: Transfer, following: Transfer, moment: datetime, told: Told
) -> dict[UUID, Balance]:
    """Return what the accounts of both will hold once ENTER has been through `row`.

    Only of those of which it is known what they hold now.
    """
    found: dict[UUID, Balance] = {}
    for account in (following.source, following.target, row.source, row.target):
        balance = BALANCE.get_cached_value(account, default=None)
        if balance is not None:
            found[account.pk] = balance
    for account, moved in ((row.source, -row.amount), (row.target, row.amount)):
        if account.pk in found:
            said = told.get(account.external_id)
            found[account.pk] = entered(found[account.pk], moved, said, moment)
    return found


def entered(known: Balance, moved: int, said: int | None, moment: datetime) -> Balance:
    """Return what an account holds once ENTER has been through it; `said` by its bank."""
    balance = copy(known)
    change = moved if said is None else said - known.total
    balance.total += change
    balance.available += change
    balance.as_of, balance.source = moment, Source.CACHE
    if said is not None:
        balance.fetched_at = moment
    return balance


def expected(row: Transfer, source: Balance) -> list[Any]:
    """Return what RELAY compares: what both ends of `row` hold, as it was judged."""
    # Where the target is no pot, it is the source that the answer is held against.
    filled = row.held_before if row.target.parent_id else None
    total = None if filled is None else Decimal(filled)
    held = [Decimal(source.total), Decimal(source.available), source.fetched_at]
    leaving = Decimal(source.leaving)
    return [row.source_id, *held, leaving, total, total, row.target_id]


def know(rows: Iterable[Transfer], balances: Mapping[UUID, Balance]) -> None:
    """Let the accounts of `rows` know what they are thought to hold: each has its own."""
    for row in rows:
        for account in (row.source, row.target):
            if account.pk in balances:
                account.balance = balances[account.pk]
