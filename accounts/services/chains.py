"""Writes down at which block balances are known, and what others may take of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from accounts.chaining import key_of
from accounts.text import clean

from .entries import Entry
from .statements import write

LONGEST_NAME = 100

STATES = """
INSERT INTO accounts_chainstate AS s (account_id, number, hash, read_at, unconfirmed)
SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::timestamptz[],
                     %s::numeric[])
ON CONFLICT (account_id) DO UPDATE SET number = excluded.number, hash = excluded.hash,
  read_at = excluded.read_at, unconfirmed = excluded.unconfirmed
"""

# What is not told any more is allowed no more; what nobody told of stays.
ALLOWANCES = """
WITH told AS (
  SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::numeric[], %s::boolean[],
                       %s::timestamptz[])
    AS t(account_id, spender, name, amount, unlimited, read_at)
)
INSERT INTO accounts_allowance (account_id, spender, name, amount, unlimited, read_at)
SELECT account_id, spender, name, amount, unlimited, read_at FROM told
ON CONFLICT (account_id, spender) DO UPDATE SET name = excluded.name,
  amount = excluded.amount, unlimited = excluded.unlimited, read_at = excluded.read_at
"""
ENDED = """
DELETE FROM accounts_allowance a USING unnest(%s::uuid[], %s::timestamptz[])
  AS t(account_id, read_at)
WHERE a.account_id = t.account_id AND a.read_at < t.read_at
"""

# A name may say more after the block: what has left the account since.
SUPERSEDED = """
UPDATE accounts_snapshotkey k SET superseded_at = now()
FROM unnest(%s::uuid[], %s::text[]) AS t(account_id, key)
WHERE k.scope = 'provider' AND k.account_id = t.account_id
AND (k.key = t.key OR starts_with(k.key, t.key || ':'))
AND k.superseded_at IS NULL
"""
RESTORED = """
UPDATE accounts_snapshotkey k SET superseded_at = NULL
FROM unnest(%s::uuid[], %s::text[]) AS t(account_id, key)
WHERE k.scope = 'provider' AND k.account_id = t.account_id
AND (k.key = t.key OR starts_with(k.key, t.key || ':'))
AND k.superseded_at IS NOT NULL
"""


def write_chains(entries: Sequence[Entry]) -> None:
    """Store the blocks of what is believed; nothing, and no question, without any."""
    chained = [entry for entry in entries if entry.verdict.chained]
    write(STATES, sorted(_states(chained)))
    write(ALLOWANCES, sorted(_allowances(chained)))
    write(ENDED, sorted(_told(chained)))
    gone = [(pk, key_of(b)) for e in chained for pk, b in e.verdict.superseded]
    if gone:
        write(SUPERSEDED, sorted(gone))
        write(RESTORED, [(row[0], f"{row[1]}:{row[2]}") for row in _states(chained)])


def _states(entries: Iterable[Entry]) -> Iterator[tuple[Any, ...]]:
    for entry in entries:
        for account, told in entry.verdict.chained:
            block, moment = told.block, entry.heard.fetched_at
            yield account, block.number, block.hash, moment, told.unconfirmed


def _told(entries: Iterable[Entry]) -> Iterator[tuple[Any, ...]]:
    for entry in entries:
        for account, told in entry.verdict.chained:
            if told.allowances is not None:
                yield account, entry.heard.fetched_at


def _allowances(entries: Iterable[Entry]) -> Iterator[tuple[Any, ...]]:
    for entry in entries:
        for account, told in entry.verdict.chained:
            for allowed in told.allowances or ():
                yield (
                    account,
                    allowed.spender,
                    clean(allowed.name, LONGEST_NAME),
                    allowed.amount,
                    allowed.unlimited,
                    entry.heard.fetched_at,
                )
