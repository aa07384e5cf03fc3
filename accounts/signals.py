"""News for whoever stands above: rules, caches, notifications."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.dispatch import Signal


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """What one account held before and holds now, in minor units of `asset`.

    `old` and `old_available` are None where nothing was known before.
    """

    account_id: UUID
    connection_id: UUID
    asset: str
    old: int | None
    new: int
    old_available: int | None
    new_available: int


# Sent after commit with `changes`, a list of BalanceChange: once per batch, not per row.
balance_changed = Signal()

# Sent after commit with `accounts`, the ids of those of which a sync has read movements
# that are new, or told otherwise than before: one that has settled changes no balance.
movements_read = Signal()

# Sent with `connection_id` and `event_id` once what an inbound webhook hinted at was
# read. It may be sent again for the same event: receivers count it once.
webhook_fetched = Signal()

# Sent after commit when events were written: somebody may deliver them now.
events_written = Signal()

# Sent with `events`, rows that are on their way to whoever wants them. A worker that
# dies before it has sent this sends it no more: the rows are the record.
events_told = Signal()

# Sent when rows of balances were written one by one, through the ORM, with `accounts`.
balances_rewritten = Signal()

# Sent by the cache of balances with `kind` (hit, miss, filled, written, marked, away) and
# `accounts`. Whoever listens is called within the request, so is quick.
cache_event = Signal()

# Sent when somebody has lost a right without a row that was saved or deleted saying so.
access_revoked = Signal()
