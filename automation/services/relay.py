"""The next transfer of a run, begun in the moment in which the one before it ends.

Claimed by itself, it is written, its balances are read, and it is written again. Here it is
judged beforehand, on what will be held once the one before has ended. The statement that
ends that one begins it, if its accounts hold just that, if no more leaves its source than
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
# begin. Nothing is waited for once the switches are held, so they come last. What is
# entered is not read as a row: this statement has changed it.
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
  AND automation_leaving(f.account_id, f.as_of, %s::uuid[]) <= %s::numeric
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
        if not hasattr(balances.get(following.source_id), "leaving"):
            return None  # what leaves its source has not been read
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
        begun, theirs = TRANSFER.statement([(following, begins)])
        places, amounts = entries([(row, told)])
        sql = RELAY.format(settled=settled, holder="sent", entries=places, begun=begun)
        given = [[row.source.connection_id], [row.pk, following.pk], *values, *amounts]
        given += [[following.source_id, following.target_id], *switches_of(following)]
        given += expected(row, following, balances[following.source_id])
        return sorted_out(execute(sql, [*given, *theirs]).fetchall())


def foreseen(
    row: Transfer, following: Transfer, moment: datetime, told: Told
) -> dict[UUID, Balance]:
    """Return what the accounts of both will hold once ENTER has been through `row`.

    Only of those of which it is known what they hold now.
    """
    found = {}
    ends = (following.source, 0), (following.target, 0)
    for account, moved in (*ends, (row.source, -row.amount), (row.target, row.amount)):
        balance = BALANCE.get_cached_value(account, default=None)
        if balance is not None:
            said = told.get(account.external_id) if moved else None
            found[account.pk] = (
                entered(balance, moved, said, moment) if moved else balance
            )
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


def expected(row: Transfer, following: Transfer, source: Balance) -> list[Any]:
    """Return what RELAY compares: what both ends of `following` hold, as it was judged."""
    # Where the target is no pot, it is the source that the answer is held against.
    filled = following.held_before if following.target.parent_id else None
    total = None if filled is None else Decimal(filled)
    return [
        following.source_id,
        Decimal(source.total),
        Decimal(source.available),
        source.fetched_at,
        [row.pk, following.pk],
        Decimal(source.leaving),
        *(total, total, following.target_id),
    ]


def know(rows: Iterable[Transfer], balances: Mapping[UUID, Balance]) -> None:
    """Let the accounts of `rows` know what they hold by now: each row has its own."""
    for row in rows:
        for account in (row.source, row.target):
            if account.pk in balances:
                account.balance = balances[account.pk]
