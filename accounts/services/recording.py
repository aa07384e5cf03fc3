"""Writes down what a batch of connections said: one short transaction, few statements."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog
from django.db import (
    DataError,
    Error,
    IntegrityError,
    ProgrammingError,
    transaction,
)

from accounts import logs
from accounts.missing import lack
from accounts.models import Balance, SyncRun, Transaction
from accounts.reconciliation import failure, reconcile, refusal
from accounts.signals import BalanceChange, balance_changed, movements_read
from accounts.validator import Checks, checks_of
from accounts.verdicts import Accepted, Heard, Known, Verdict
from providers.errors import FAULTS, ProviderError

from . import chains, distrust, knowledge, snapshot_keys, statements, writing
from .entries import Entry, State
from .events import tell_changes
from .instant.keeping import keep
from .statements import ask
from .steadily import steadily

log = structlog.get_logger(__name__)
QUIET = frozenset({SyncRun.Kind.PERIODIC})  # kinds whose balances are logged at debug
# What an answer that nobody thought of does to whoever judges it, or writes it down.
UNUSABLE = (DataError, IntegrityError, ProgrammingError, *FAULTS)
# Writes what follows from what was heard, and returns what to do once that is committed.
Also = Callable[[], Callable[[], None]]


def record(entries: Sequence[Entry], also: Also | None = None) -> None:
    """Write `entries` together; one that cannot be judged or written spoils no other.

    So does `also` in the same transaction, if all goes well. If the database, or what was
    heard, stands in the way, `entries` are written without it; what else it raises, such as
    that its time is over, is raised, and nothing is written.
    """
    if also is not None and _recorded(entries, also):
        return
    try:
        steadily(lambda: _record(entries))
    except UNUSABLE as error:
        if len(entries) > 1:
            for entry in entries:
                record([entry])
            return
        log.exception("An answer cannot be stored", connection=entries[0].connection_id)
        _refuse(entries[0], error)


def _recorded(entries: Sequence[Entry], also: Also) -> bool:
    """Write `entries` and what follows; say whether that could be done."""
    try:
        _record(entries, also)
    except (Error, *FAULTS) as error:
        # Each of both is done by itself from here, where what is wrong is told again.
        told = not isinstance(error, IntegrityError)  # else most often a busy account
        log.info("What follows is written apart", error=str(error), exc_info=told)
        return False
    return True


def _refuse(entry: Entry, error: Exception) -> None:
    entry.visit = None
    entry.settled = refusal({}, "unstorable", type(error).__name__)
    _record([entry])


def _record(entries: Sequence[Entry], also: Also | None = None) -> None:
    then: Callable[[], None] | None = None
    ids = sorted(entry.connection_id for entry in entries)
    with transaction.atomic():
        states = {row[0]: State(*row[1:]) for row in ask(statements.LOCK, ids)}
        earlier = {entry.connection_id: entry.knowledge for entry in entries}
        known = {
            pk: found.accounts for pk, found in knowledge.current(earlier, ids).items()
        }
        # A connection archived meanwhile has nothing to say any more.
        present = [e for e in entries if e.connection_id in states]
        snapshot_keys.recall(present, known)
        for entry in present:
            state = states[entry.connection_id]
            checks = checks_of(state.check_rows, state.drift_rows)
            if entry.heard is not None:
                entry.heard = replace(entry.heard, judged_at=state.moment)
            entry.verdict = _verdict(
                entry, known[entry.connection_id], checks, state.moment
            )
        writing.write_accounts(present)
        writing.write_balances(present, known)
        snapshot_keys.write_names(present)
        chains.write_chains(present)
        moved = writing.write_movements(present, known)
        writing.write_outcomes(present, states)
        writing.write_findings(present)
        # The cache first: whoever hears the news may look there.
        transaction.on_commit(partial(keep, present, states), robust=True)
        distrust.write_distrust(present, states)
        _announce(present)
        if moved:
            send = partial(movements_read.send, sender=Transaction, accounts=moved)
            transaction.on_commit(send, robust=True)
        if also is not None and _go_along(present, entries):
            then = also()
    if then is not None:
        then()
    _log(present)


def _go_along(present: Sequence[Entry], entries: Sequence[Entry]) -> bool:
    """Say whether what follows may be written with `present`: all of `entries`.

    Not where an account is protected, which is held alone then: who plans takes the
    workspace before any account.
    """
    return len(present) == len(entries) and not distrust.protects(present)


def _verdict(
    entry: Entry, known: Mapping[str, Known], checks: Checks, moment: datetime
) -> Verdict:
    if entry.settled is not None:
        return entry.settled
    if entry.heard is not None and entry.covers is not None:
        return reconcile(_covered(entry, known), entry.heard, checks)
    if entry.heard is not None and entry.visit is None:
        return reconcile(_told(entry.heard, known), entry.heard)  # typed by a person
    visit = entry.visit
    if visit is None or visit.observation is None:
        return failure(known, entry.error or ProviderError())
    entry.heard = Heard(
        visit.observation, visit.asked_at, visit.fetched_at, judged_at=moment
    )
    verdict = reconcile(known, entry.heard, checks)
    unread = [entry.error] if entry.error else list(visit.unread.values())
    if unread and verdict.status == "ok":
        verdict.status = "partial"
        verdict.error_code, verdict.error = unread[0].code, str(unread[0])
    lack(verdict, visit.observation)
    return verdict


def _covered(entry: Entry, known: Mapping[str, Known]) -> dict[str, Known]:
    """Return what a stream may say something about: all it covers, or what it named."""
    if not entry.heard.observation.complete:
        return _told(entry.heard, known)
    return {name: before for name, before in known.items() if entry.covers(name)}


def _told(heard: Heard, known: Mapping[str, Known]) -> dict[str, Known]:
    names = {reading.external_id for reading in heard.observation.readings}
    return {name: before for name, before in known.items() if name in names}


def _announce(entries: Iterable[Entry]) -> None:
    changes = [
        changed(entry.connection_id, new)
        for entry in entries
        for new in entry.verdict.accepted
        if new.changed
    ]
    announce(changes)


def changed(connection_id: UUID, new: Accepted) -> BalanceChange:
    """Return the news that a balance is another than before."""
    return BalanceChange(
        new.account_id,
        connection_id,
        new.asset,
        new.old,
        new.total,
        new.old_available,
        new.available,
    )


def announce(changes: Sequence[BalanceChange]) -> None:
    """Send `balance_changed` once the transaction is committed, if anything changed."""
    if changes:
        tell_changes(changes)
        send = partial(balance_changed.send, sender=Balance, changes=changes)
        transaction.on_commit(send, robust=True)


def _log(entries: Iterable[Entry]) -> None:
    for entry in entries:
        if entry.verdict.status != "ok":
            log.log(
                logging.WARNING if entry.verdict.status == "failed" else logging.INFO,
                f"Sync {entry.verdict.status}",
                connection=entry.connection_id,
                kind=entry.run.kind,
                error_code=entry.run.error_code,
                error=entry.run.error,
            )
        for told in entry.verdict.disagreements:
            log.warning(
                "Two figures of the provider disagree",
                account=str(told.account_id),
                name=told.name,
                expected=str(told.expected),
                actual=str(told.actual),
            )
        level = logging.DEBUG if entry.run.kind in QUIET else logging.INFO
        if logs.says(level):
            _log_balances(entry, level)


def _log_balances(entry: Entry, level: int) -> None:
    heard = entry.heard if entry.verdict.results else None
    for reading in heard.observation.readings if heard else ():
        logs.balance_line(
            "SYNC",
            reading.external_id,
            reading.total,
            reading.asset,
            source=heard.source,
            age=(heard.fetched_at - heard.asked_at).total_seconds(),
            level=level,
        )
