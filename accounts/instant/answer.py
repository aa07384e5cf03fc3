"""What is said of a kept balance at one moment: its age, and whether to trust it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache

from accounts.moneyjson import money

from .entry import DISTRUSTED, NEVER, Entry, text_of, unpack

SECOND = 1_000_000
READ_NOW = frozenset({"live", "stream"})
AMOUNTS = ("total", "available", "held")
CACHE, DATABASE = "cache", "database"  # where the figures of an answer were found


@dataclass(frozen=True, slots=True)
class Sheet:
    """An entry with those parts of its answer written out that time does not change."""

    entry: Entry
    head: str
    error: str
    digest: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, and whether a newer reading is wanted and may be asked for."""

    body: bytes
    tag: str
    known: bool
    wanting: bool
    may_ask: bool
    updating: bool


@lru_cache(maxsize=4096)
def sheet(account: str, text: str) -> Sheet | None:
    """Return what a kept text says; None if it is marked. Raises ValueError."""
    entry = unpack(text)
    return None if entry is None else sheet_of(account, entry)


def sheet_of(account: str, entry: Entry) -> Sheet:
    """Return `entry` ready to be told."""
    fixed = {"account": account, "asset": entry.asset}
    for name in AMOUNTS:
        held = getattr(entry, name)
        fixed[name] = None if held is None else money(held, entry.asset)
    fixed["as_of"] = text_of(entry.as_of) if entry.known else None
    fixed["fetched_at"] = text_of(entry.fetched_at) if entry.known else None
    head, error = _json(fixed)[:-1], _json(entry.error or None)
    news = f"{head}{error}".encode()
    return Sheet(entry, head, error, hashlib.sha256(news).hexdigest()[:30])


def answer(
    told: Sheet,
    moment: int,
    *,
    max_age: int | None = None,
    hinted_at: int = 0,
    updating: bool = False,
    found_in: str = CACHE,
) -> Answer:
    """Return what is said at `moment`, in µs since 1970.

    Stale is what is older than `max_age` seconds, or without it than the entry's own
    limit, and what was read before a hint that something has changed.
    """
    entry = told.entry
    stale = _is_stale(entry, moment, max_age, hinted_at)
    source = "cache" if stale and entry.source in READ_NOW else entry.source
    age, quoted, status = "null", "null", "unknown"
    if entry.known:
        age, status = str(max(0, (moment - entry.as_of) // SECOND)), "ok"
        quoted = f'"{source}"'
    body = (
        f'{told.head},"age_seconds":{age},"source":{quoted},"status":"{status}",'
        f'"stale":{_flag(stale)},"updating":{_flag(updating)},"error":{told.error},'
        f'"found_in":"{found_in}"}}'
    )
    return Answer(
        body.encode(),
        f'W/"{told.digest}{"s" if stale else "f"}{source[:1]}"',
        entry.known,
        stale or not entry.known,
        entry.ask_from != NEVER and moment >= entry.ask_from,
        updating,
    )


def _is_stale(entry: Entry, moment: int, max_age: int | None, hinted_at: int) -> bool:
    if not entry.known or entry.source == "snapshot":
        return True  # the last rung: nothing newer is known
    if entry.limit == DISTRUSTED:
        return True  # however old a caller would take it
    limit = entry.limit if max_age is None else max_age
    if limit is not None and moment - entry.as_of > limit * SECOND:
        return True
    # Nobody can hint at what a person counts.
    return hinted_at > entry.as_of and entry.limit is not None


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
