"""Writes down what a sync did not believe, and protects what drifts too far.

Nothing is written, and nothing asked, where nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from accounts.text import clean_json
from accounts.verdicts import Quarantined

from . import statements
from .entries import Entry, State
from .statements import ask, write

log = structlog.get_logger(__name__)


def write_distrust(entries: Sequence[Entry], states: Mapping[UUID, State]) -> None:
    """Store what goes into quarantine and what leaves it; protect and release."""
    write(statements.RELEASED, sorted(_released(entries, states)))
    rows = {row[0:1] + row[3:5]: row for e in entries for row in _quarantined(e)}
    write(statements.QUARANTINE, [rows[key] for key in sorted(rows)])
    write(statements.DISTRUSTED, sorted({(row[2],) for row in rows.values() if row[2]}))
    _release(entries)
    _protect(entries)


def _released(
    entries: Iterable[Entry], states: Mapping[UUID, State]
) -> Iterator[tuple[UUID, str]]:
    for entry in entries:
        pk, verdict = entry.connection_id, entry.verdict
        yield from ((pk, name) for name in verdict.released)
        # An answer that was no answer: the next that is one releases it.
        if states[pk].failures and verdict.status != "failed":
            yield pk, ""


def _quarantined(entry: Entry) -> Iterator[tuple[Any, ...]]:
    for aside in entry.verdict.quarantined:
        log.warning(
            "reading_quarantined",
            connection=str(entry.connection_id),
            account=str(aside.account_id),
            rule=aside.issue.rule,
            text=aside.issue.text,
        )
        yield _row(entry, aside)


def _row(entry: Entry, aside: Quarantined) -> tuple[Any, ...]:
    reading, heard = aside.reading, entry.heard
    amounts = (None,) * 3
    if reading is not None:
        amounts = reading.total, reading.available, reading.held
    return (
        entry.connection_id,
        entry.run.pk,
        aside.account_id,
        aside.external_id,
        aside.issue.rule,
        aside.issue.severity,
        aside.issue.text,
        *amounts,
        aside.as_of,
        heard.fetched_at if heard else None,
        heard.source if heard else "",
        clean_json(aside.raw),
    )


def _release(entries: Iterable[Entry]) -> None:
    rows = sorted(row for entry in entries for row in entry.verdict.clean)
    if not rows:
        return
    for pk, left in ask(statements.CLEAN, *zip(*rows, strict=True)):
        if not left:
            log.warning("account_released", account=str(pk), user=None)


def protects(entries: Iterable[Entry]) -> bool:
    """Say whether an account drifts too far, and is held alone: see `PROTECT`."""
    return any(_grave(entries))


def _grave(entries: Iterable[Entry]) -> Iterator[tuple[UUID, str, int]]:
    for entry in entries:
        for told in entry.verdict.disagreements:
            if told.clean_syncs:
                yield told.account_id, told.name, told.clean_syncs


def _protect(entries: Iterable[Entry]) -> None:
    rows = sorted(_grave(entries))
    if not rows:
        return
    for pk, reason in ask(statements.PROTECT, *zip(*rows, strict=True)):
        log.warning("account_protected", account=str(pk), user=None, reason=reason)
