"""Keeps what a batch of syncs has found out, once it is committed: one round trip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from accounts.instant.entry import NEVER, SEPARATOR, micros
from accounts.models import Connection
from accounts.services.entries import Entry, State

from . import cache
from .rows import AFTER_SUCCESS


def keep(entries: Sequence[Entry], states: Mapping[UUID, State]) -> None:
    """Keep accepted balances, mark what failed, and end the refreshes of `entries`."""
    texts = {
        account: text
        for entry in entries
        for account, text in _texts(entry, states[entry.connection_id])
    }
    marked = [account for entry in entries for account in _doubtful(entry)]
    cache.write(texts, marked, ended=[entry.connection_id for entry in entries])


def _texts(entry: Entry, state: State) -> Iterator[tuple[UUID, str]]:
    """Yield accounts with what `instant.entry.pack` would write of each."""
    heard, accepted = entry.heard, entry.verdict.accepted
    if heard is None or not accepted:
        return
    about = f"{heard.source}{SEPARATOR}{state.workspace_id}{SEPARATOR}"
    about += f"{entry.connection_id}{SEPARATOR}"
    end = SEPARATOR + _judged(entry, heard.fetched_at, state)
    moment, as_of = None, ""
    for told in accepted:
        if told.as_of is not moment:  # most often one for all
            moment, as_of = told.as_of, f"{micros(told.as_of)}{SEPARATOR}{about}"
        yield (
            told.account_id,
            f"{as_of}{told.asset}\x1f{told.total}\x1f{told.available}\x1f{told.held}{end}",
        )


def _judged(entry: Entry, fetched_at: datetime, state: State) -> str:
    """Return what judges the age of these balances; typed ones never grow old."""
    limit, ask_from = "", NEVER
    if entry.asked_provider:
        limit = str(int(Connection.stale_limit(state.interval).total_seconds()))
        ask_from = micros(fetched_at + AFTER_SUCCESS)
    return SEPARATOR.join([str(micros(fetched_at)), limit, str(ask_from), ""])


def _doubtful(entry: Entry) -> Iterator[UUID]:
    """Yield the accounts of which the row says more than this batch."""
    yield from (account for account, _ in entry.verdict.unknown)
    if entry.verdict.status == "failed" and entry.knowledge is not None:
        yield from (known.account_id for known in entry.knowledge.accounts.values())
