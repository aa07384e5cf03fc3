"""Turns what a batch means into rows: one statement for each kind of row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from accounts import health
from accounts.models import Account, SyncRun
from accounts.text import clean
from accounts.trading.progress import Progress
from accounts.verdicts import Known

from . import movements, statements
from .entries import Entry, State
from .statements import ask, write

LONGEST_ROLE = 30


def write_accounts(entries: Sequence[Entry]) -> None:
    """Store new accounts and what changed about old ones."""
    found = [
        (
            new.account_id,
            entry.connection_id,
            new.parent,
            new.reading.external_id,
            new.name,
            new.reading.kind,
            clean(new.reading.role, LONGEST_ROLE),
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
    _hand_over(entries)


def _hand_over(entries: Sequence[Entry]) -> None:
    """Let what is closed for one connection be automated by another that sees it."""
    closed = [a.account_id for e in entries for a in e.verdict.states if a.closed]
    found = [(e, new.reading) for e in entries for new in e.verdict.found]
    if closed or found:
        known = Q(
            provider__in={entry.run.connection.provider for entry, _ in found},
            external_id__in={reading.external_id for _, reading in found},
        )
        gone = Account.objects.exclude(closed_at=None)
        gone.filter(Q(pk__in=closed) | known).hand_over()


def write_balances(
    entries: Sequence[Entry], known: Mapping[UUID, Mapping[str, Known]]
) -> None:
    """Store accepted balances with their snapshots, and why others are unknown."""
    steady = {
        entry.connection_id: moments
        for entry in entries
        if (moments := _confirmed(entry, known[entry.connection_id])) is not None
    }
    write(statements.CONFIRMED, [(pk, *moments) for pk, moments in steady.items()])
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
                b.again,
            )
            for entry in entries
            if entry.connection_id not in steady
            for b in entry.verdict.accepted
        ],
    )
    unknown = [
        (account, why) for entry in entries for account, why in entry.verdict.unknown
    ]
    write(statements.ERRORS, sorted(unknown))


def _confirmed(
    entry: Entry, known: Mapping[str, Known]
) -> tuple[datetime, datetime] | None:
    """Return as of when all open accounts are confirmed, and when that was heard."""
    verdict, accepted = entry.verdict, entry.verdict.accepted
    if not accepted or verdict.found or verdict.states:
        return None
    closed = [before.account_id for before in known.values() if before.closed]
    if len(accepted) + len(closed) != len(known):
        return None
    if closed and any(b.account_id in closed for b in accepted):
        return None
    as_of = accepted[0].as_of
    if any(b.changed or b.as_of != as_of for b in accepted):
        return None
    return as_of, entry.heard.fetched_at


def write_movements(
    entries: Iterable[Entry], known: Mapping[UUID, Mapping[str, Known]]
) -> set[UUID]:
    """Store the transactions that were heard; return the accounts with any news."""
    heard = [e for e in entries if e.visit and e.visit.histories]
    return movements.write_all(
        (_ids(entry, known[entry.connection_id]), entry.visit)
        for entry in heard
        if entry.verdict.status != "failed"
    )


def _ids(entry: Entry, known: Mapping[str, Known]) -> dict[str, UUID]:
    ids = {name: before.account_id for name, before in known.items()}
    found = {new.reading.external_id: new.account_id for new in entry.verdict.found}
    return ids | found


def write_outcomes(entries: Iterable[Entry], states: Mapping[UUID, State]) -> None:
    """Store the sync runs, and how each connection is from now on."""
    rows = []
    for entry in entries:
        run, verdict, visit = entry.run, entry.verdict, entry.visit
        outlook = _outlook(entry, states[entry.connection_id])
        progress = _to_come(entry)
        run.status = SyncRun.Status.RUNNING if progress else verdict.status
        run.results = verdict.results
        run.error_code, run.error = verdict.error_code, verdict.error[:2000]
        run.requests = visit.requests if visit else 0
        rows.append(
            (
                run.pk,
                entry.connection_id,
                run.kind,
                verdict.status,
                run.started,
                run.requests,
                run.error_code,
                run.error,
                json.dumps(run.results),
                outlook.health,
                outlook.failures,
                outlook.next_in,
                verdict.status != "failed",
                visit.listed if visit else False,
                progress,
            )
        )
    write(statements.OUTCOMES, rows)


def _to_come(entry: Entry) -> str | None:
    """Return where the reading of orders and trades begins, if it follows."""
    status = entry.verdict.status
    if not entry.trades or status == "failed":
        return None
    return json.dumps(Progress(balances=status).written())


def _outlook(entry: Entry, state: State) -> health.Outlook:
    if entry.verdict.status != "failed":
        # Where there is nobody to ask there is no next time either.
        return health.after_success(state.interval if entry.asked_provider else None)
    return health.after_failure(
        entry.verdict.error_code,
        health=state.health,
        failures=state.failures,
        ever_worked=state.ever_worked,
        interval=state.interval,
        wait=getattr(entry.error, "retry_after", None),
    )


def write_findings(entries: Sequence[Entry]) -> None:
    """Store corrections and discrepancies; resolve those that agree again."""
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
                d.severity,
            )
            for entry in entries
            for d in entry.verdict.disagreements
        ],
    )
    write(
        statements.AGREEMENTS,
        [(pk, name) for e in entries for pk, name in e.verdict.agreements],
    )
