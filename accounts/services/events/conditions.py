"""Looks at what lasts, and tells its beginning, its going on and its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet
from django.utils.timezone import now

from accounts.events import KINDS, Edge, Phase, forgotten, observe
from accounts.models import Account, Condition, Connection, Event
from providers.errors import FAULTS

from .telling import tell

log = structlog.get_logger("accounts.events")


@dataclass(frozen=True, slots=True)
class Found:
    """A condition that holds now; the same `key` is the same condition."""

    key: str
    workspace_id: UUID
    subject_kind: str
    subject_id: UUID
    severity: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)
    recipient_id: int | None = None


Watch = Callable[[datetime], Iterable[Found]]
WATCHES: dict[str, Watch] = {}


def watch(kind: str) -> Callable[[Watch], Watch]:
    """Mark a function that yields the conditions of `kind` which hold at a moment."""

    def mark(finds: Watch) -> Watch:
        WATCHES[kind] = finds
        return finds

    return mark


def look_for_conditions() -> int:
    """Look at every kind of condition, and return how many events were written.

    One that cannot be looked at keeps no other back; its error is raised in the end, so
    that the job is not taken for done.
    """
    with transaction.atomic():
        _let_go()
    written, errors = 0, []
    for kind, finds in sorted(WATCHES.items()):
        try:
            written += _look(kind, finds)
        except (DatabaseError, *FAULTS) as error:
            log.exception("condition_not_looked_at", kind=kind)
            errors.append(error)
    if errors:
        raise errors[0]
    return written


def _look(kind: str, finds: Watch) -> int:
    with transaction.atomic():
        if not _alone(kind):
            return 0
        moment = now()
        found = {each.key: each for each in finds(moment)}
        known = {row.pk: row for row in Condition.objects.filter(kind=kind)}
        rows = {
            key: known.get(key) or _new(kind, found[key])
            for key in sorted(found.keys() | known.keys())
        }
        events = [
            event
            for key, row in rows.items()
            if (event := _step(row, found.get(key), moment))
        ]
        _keep(rows.values(), known, moment)
        tell(events)
        return len(events)


def _alone(kind: str) -> bool:
    """Say whether nobody else looks at this kind just now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"balsync condition {kind}"],
        )
        return cursor.fetchone()[0]


def _new(kind: str, found: Found) -> Condition:
    row = Condition(kind=kind, pk=found.key)
    row.edge = Edge()
    return row


def _step(row: Condition, found: Found | None, moment: datetime) -> Event | None:
    """Take one look at a condition, and return what is to be told of it."""
    if found is not None:
        for name in Found.__slots__:
            if name not in ("key", "severity"):
                setattr(row, name, getattr(found, name))
    severity = found.severity if found else row.severity
    row.edge, phase = observe(row.edge, found is not None, severity, moment)
    return None if phase is None else _event(row, severity, phase)


def _event(row: Condition, severity: str, phase: Phase) -> Event:
    over = phase == Phase.ENDED
    return Event(
        workspace_id=row.workspace_id,
        kind=(KINDS[row.kind].ends if over else "") or row.kind,
        phase=phase,
        severity="info" if over else severity,
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
        key=row.pk,
        text=f"Over: {row.text}" if over else row.text,
        data=row.data,
        recipient_id=row.recipient_id,
    )


def _keep(
    rows: Iterable[Condition], known: dict[str, Condition], now_: datetime
) -> None:
    gone = {row.pk for row in rows if forgotten(row.edge, now_)}
    kept = [row for row in rows if row.pk not in gone]
    Condition.objects.filter(pk__in=gone).delete()
    Condition.objects.bulk_create([row for row in kept if row.pk not in known])
    old = [row for row in kept if row.pk in known]
    fields = [*Condition.EDGE, "text", "data", "recipient"]
    Condition.objects.bulk_update(old, fields, batch_size=500)


def _let_go() -> None:
    """Forget, without a word, what was about something that is no longer in use."""
    archived = Connection.objects.exclude(archived_at=None).values("pk")
    closed = Account.objects.exclude(closed_at=None) | Account.objects.filter(
        connection__in=archived
    )
    _about("connection", archived).delete()
    _about("account", closed.values("pk")).delete()


def _about(kind: str, ids: QuerySet) -> QuerySet[Condition]:
    return Condition.objects.filter(subject_kind=kind, subject_id__in=ids)
