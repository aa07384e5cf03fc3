"""Writes down what streams told, and confirms what they stand by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from accounts.models import Connection, Source, SyncRun
from accounts.services import knowledge, statements, writing
from accounts.services.entries import Entry, State
from accounts.services.instant.keeping import keep
from accounts.services.recording import record
from accounts.services.statements import ask
from accounts.services.sync import new_run
from accounts.verdicts import Accepted, Heard, Known, Verdict
from providers.base import Observation, Reading

Covers = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Told:
    """What one stream told of a connection's accounts, newest figures only."""

    connection: Connection
    readings: Sequence[Reading]
    whole: bool
    covers: Covers


def hear(told: Sequence[Told], moment: datetime) -> None:
    """Record what streams told by `moment`, as a sync does: judged, with corrections.

    Frames come in order on their one connection, so that moment stands for theirs: the
    institution's clock may go behind ours, and what is newest would then look old.
    """
    while told:
        # Two streams of one connection would judge by the same knowledge: one by one.
        first = {row.connection.pk: row for row in reversed(told)}
        told = [row for row in told if first[row.connection.pk] is not row]
        record([_entry(row, moment) for row in first.values()])


def _entry(row: Told, moment: datetime) -> Entry:
    run = new_run(row.connection, SyncRun.Kind.STREAM)
    run.started = moment
    observation = Observation(
        [replace(reading, as_of=None) for reading in row.readings],
        complete=row.whole,
        lists_held_only=row.whole,
    )
    heard = Heard(observation, moment, moment, Source.STREAM)
    return Entry(run, heard=heard, covers=row.covers)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a live stream stands by: the newest figures of each account it covers."""

    connection: Connection
    readings: Mapping[str, Reading]
    covers: Covers


def confirm(live: Sequence[Figures], moment: datetime) -> list[tuple[UUID, str]]:
    """Confirm the balances that live streams stand by, as of `moment`.

    Returns (connection, external id) of those that are known otherwise: they are to be
    told again. Nothing but their moment is written, and no sync run.
    """
    if not live:
        return []
    ids = sorted({row.connection.pk for row in live})
    otherwise: list[tuple[UUID, str]] = []
    with transaction.atomic():
        states = {row[0]: State(*row[1:]) for row in ask(statements.LOCK, ids)}
        present = [row for row in live if row.connection.pk in states]
        known = knowledge.read(ids)[1]
        entries = []
        for row in present:
            accounts = known[row.connection.pk].accounts
            entry, different = _confirmed(row, accounts, moment)
            otherwise += [(row.connection.pk, name) for name in different]
            entries.append(entry)
        for entry in entries:
            accounts = known[entry.connection_id].accounts
            writing.write_balances([entry], {entry.connection_id: accounts})
        transaction.on_commit(partial(keep, entries, states), robust=True)
    return otherwise


def _confirmed(
    row: Figures, accounts: Mapping[str, Known], moment: datetime
) -> tuple[Entry, list[str]]:
    accepted, otherwise = [], []
    for name, known in accounts.items():
        if known.closed or known.total is None or not row.covers(name):
            continue
        if known.quarantined:
            continue  # a person, or a sync, decides: told again it would be judged again
        reading = row.readings.get(name)
        if _agree(known, reading):
            accepted.append(_again(known, moment))
        elif reading is not None:
            otherwise.append(name)
    heard = Heard(Observation(()), moment, moment, Source.STREAM)
    run = new_run(row.connection, SyncRun.Kind.STREAM)
    verdict = Verdict(accepted=accepted)
    return Entry(run, heard=heard, verdict=verdict, covers=row.covers), otherwise


def _agree(known: Known, reading: Reading | None) -> bool:
    """Say whether the row says what the stream does; what it never named is empty."""
    if reading is None:
        return known.total == known.held == 0
    told = (reading.total, reading.available, reading.held)
    return told == (known.total, known.available, known.held)


def _again(known: Known, moment: datetime) -> Accepted:
    assert known.total is not None
    assert known.available is not None
    return Accepted(
        known.account_id,
        known.asset,
        known.total,
        known.available,
        known.held,
        moment,
        changed=False,
        old=known.total,
        old_available=known.available,
    )
