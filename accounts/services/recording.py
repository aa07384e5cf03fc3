"""Writes down what a batch of connections said: one short transaction, few statements."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import stamina
import structlog
from django.db import DataError, IntegrityError, OperationalError, transaction

from accounts import health, logs
from accounts.models import Balance, SyncRun
from accounts.reconciliation import failure, reconcile, refusal
from accounts.signals import BalanceChange, balance_changed
from accounts.verdicts import Accepted, Heard, Known, Verdict
from providers.errors import ProviderError

from . import movements, statements
from .reading import Visit
from .statements import ask, moment, write

log = structlog.get_logger(__name__)
QUIET = frozenset({SyncRun.Kind.PERIODIC})  # kinds whose balances are logged at debug


@dataclass(frozen=True, slots=True)
class State:
    """A connection as it is while its row is locked."""

    health: str
    failures: int
    interval: float
    ever_worked: bool


@dataclass(slots=True)
class Entry:
    """One connection's part of a batch: what it said, and what that means."""

    run: SyncRun
    visit: Visit | None = None
    heard: Heard | None = None
    error: ProviderError | None = None
    verdict: Verdict | None = None
    settled: Verdict | None = None  # where no answer is judged

    @property
    def connection_id(self) -> UUID:
        return self.run.connection_id


def record(entries: Sequence[Entry]) -> None:
    """Write `entries` together; one that cannot be written spoils no other."""
    try:
        for attempt in stamina.retry_context(
            on=OperationalError, attempts=5, timeout=10
        ):
            with attempt:
                _record(entries)
    except (DataError, IntegrityError) as error:
        if len(entries) > 1:
            for entry in entries:
                record([entry])
            return
        log.exception("An answer cannot be stored", connection=entries[0].connection_id)
        _refuse(entries[0], error)


def _refuse(entry: Entry, error: Exception) -> None:
    entry.visit = None
    entry.settled = refusal({}, "unstorable", type(error).__name__)
    _record([entry])


def _record(entries: Sequence[Entry]) -> None:
    ids = sorted(entry.connection_id for entry in entries)
    with transaction.atomic():
        states = {row[0]: State(*row[1:]) for row in ask(statements.LOCK, ids)}
        known = read_known(ids)
        # A connection archived meanwhile has nothing to say any more.
        present = [e for e in entries if e.connection_id in states]
        for entry in present:
            entry.verdict = _verdict(entry, known[entry.connection_id])
        _write_accounts(present)
        _write_balances(present)
        _write_movements(present, known)
        _write_outcomes(present, states)
        _write_findings(present)
        _announce(present)
    _log(present)


def read_known(ids: Sequence[UUID]) -> Mapping[UUID, dict[str, Known]]:
    """Return what is known of the accounts of each connection, by external id."""
    known: dict[UUID, dict[str, Known]] = defaultdict(dict)
    for row in ask(statements.KNOWN, ids):
        (owner, name, pk, asset, kind, label, goal, parent, *flags) = row
        can_send, can_receive, active, closed, since, reads, *held = flags
        total, available, hold, as_of, fetched_at, source, names = held
        known[owner][name] = Known(
            pk,
            asset,
            kind,
            label,
            None if goal is None else int(goal),
            parent,
            can_send,
            can_receive,
            active,
            closed,
            moment(since),
            reads,
            None if total is None else int(total),
            None if available is None else int(available),
            int(hold),
            moment(as_of),
            moment(fetched_at),
            source or "live",
            names,
        )
    return known


def _verdict(entry: Entry, known: Mapping[str, Known]) -> Verdict:
    if entry.settled is not None:
        return entry.settled
    if entry.heard is not None and entry.visit is None:
        return reconcile(_told(entry.heard, known), entry.heard)  # typed by a person
    visit = entry.visit
    if visit is None or visit.observation is None:
        return failure(known, entry.error or ProviderError())
    entry.heard = Heard(visit.observation, visit.asked_at, visit.fetched_at)
    verdict = reconcile(known, entry.heard)
    unread = [entry.error] if entry.error else list(visit.unread.values())
    if unread and verdict.status == "ok":
        verdict.status = "partial"
        verdict.error_code, verdict.error = unread[0].code, str(unread[0])
    return verdict


def _told(heard: Heard, known: Mapping[str, Known]) -> dict[str, Known]:
    names = {reading.external_id for reading in heard.observation.readings}
    return {name: before for name, before in known.items() if name in names}


def _write_accounts(entries: Iterable[Entry]) -> None:
    found = [
        (
            new.account_id,
            entry.connection_id,
            new.parent,
            new.reading.external_id,
            new.name,
            new.reading.kind,
            new.reading.asset,
            new.reading.goal,
            new.reading.can_send,
            new.reading.can_receive,
        )
        for entry in entries
        for new in entry.verdict.found
    ]
    if found:
        rows = [(*row, True) for row in found]
        made = {pk for (pk,) in ask(statements.FIND, *zip(*rows, strict=True))}
        # Another connection came first by a moment: theirs automates, ours looks on.
        write(statements.FIND, [(*r, False) for r in found if r[0] not in made])
    write(
        statements.ACCOUNTS,
        sorted(
            (
                a.account_id,
                a.name,
                a.goal,
                a.parent,
                a.can_send,
                a.can_receive,
                a.closed,
                a.missing_since,
                a.missing_reads,
            )
            for entry in entries
            for a in entry.verdict.states
        ),
    )


def _write_balances(entries: Sequence[Entry]) -> None:
    write(
        statements.BALANCES,
        [
            (
                b.account_id,
                b.total,
                b.available,
                b.held,
                b.as_of,
                entry.heard.fetched_at,
                b.changed,
                entry.heard.source,
            )
            for entry in entries
            for b in entry.verdict.accepted
        ],
    )
    unknown = [
        (account, why) for entry in entries for account, why in entry.verdict.unknown
    ]
    write(statements.ERRORS, sorted(unknown))


def _write_movements(
    entries: Iterable[Entry], known: Mapping[UUID, Mapping[str, Known]]
) -> None:
    heard = [e for e in entries if e.visit and e.visit.histories]
    movements.write_all(
        (_ids(entry, known[entry.connection_id]), entry.visit)
        for entry in heard
        if entry.verdict.status != "failed"
    )


def _ids(entry: Entry, known: Mapping[str, Known]) -> dict[str, UUID]:
    ids = {name: before.account_id for name, before in known.items()}
    found = {new.reading.external_id: new.account_id for new in entry.verdict.found}
    return ids | found


def _write_outcomes(entries: Iterable[Entry], states: Mapping[UUID, State]) -> None:
    rows = []
    for entry in entries:
        run, verdict, visit = entry.run, entry.verdict, entry.visit
        outlook = _outlook(entry, states[entry.connection_id])
        run.status, run.results = verdict.status, verdict.results
        run.error_code, run.error = verdict.error_code, verdict.error[:2000]
        run.requests = visit.requests if visit else 0
        rows.append(
            (
                run.pk,
                entry.connection_id,
                run.kind,
                run.status,
                run.started,
                run.requests,
                run.error_code,
                run.error,
                json.dumps(run.results),
                outlook.health,
                outlook.failures,
                outlook.next_in,
                verdict.status != "failed",
            )
        )
    write(statements.OUTCOMES, rows)


def _outlook(entry: Entry, state: State) -> health.Outlook:
    if entry.verdict.status != "failed":
        # Where there is nobody to ask there is no next time either.
        return health.after_success(state.interval if entry.visit else None)
    return health.after_failure(
        entry.verdict.error_code,
        health=state.health,
        failures=state.failures,
        ever_worked=state.ever_worked,
        interval=state.interval,
        wait=getattr(entry.error, "retry_after", None),
    )


def _write_findings(entries: Sequence[Entry]) -> None:
    write(
        statements.CORRECTIONS,
        [
            (
                entry.run.pk,
                c.account_id,
                c.field,
                c.old,
                c.new,
                c.difference,
                c.severity,
                c.reason,
            )
            for entry in entries
            for c in entry.verdict.changes
        ],
    )
    write(
        statements.DISAGREEMENTS,
        [
            (
                entry.run.pk,
                d.account_id,
                d.name,
                d.expected,
                d.actual,
            )
            for entry in entries
            for d in entry.verdict.disagreements
        ],
    )
    write(
        statements.AGREEMENTS,
        [(pk, name) for e in entries for pk, name in e.verdict.agreements],
    )


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
        send = partial(balance_changed.send, sender=Balance, changes=changes)
        transaction.on_commit(send, robust=True)


def _log(entries: Iterable[Entry]) -> None:
    for entry in entries:
        if entry.verdict.status == "failed":
            log.warning(
                "Sync failed",
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
