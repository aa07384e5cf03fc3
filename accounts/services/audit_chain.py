"""Seals what was told to the audit, and walks the chain to see whether it still holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils.timezone import now

from accounts.links import GENESIS, Link, Walk, canonical, link
from accounts.models import AuditEvent, AuditSeal, AuditWaiting

AT_ONCE = 2_000
MOST_TOLD = 50  # after so many nobody reads on
# One sealer at a time: two would forge two links onto the same end. Without the lock
# the key of the position would refuse the second.
ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('balsync audit chain', 0))"
HASHED = (
    *("id", "workspace_id", "created", "via", "user_id", "actor", "key_id", "action"),
    *("object_kind", "object_id", "old", "new", "reason", "request_id"),
)
# Whoever wrote these went around the triggers.
SMUGGLED = """
SELECT e.id FROM accounts_auditevent e
WHERE NOT EXISTS (SELECT 1 FROM accounts_auditseal s WHERE s.event_id = e.id)
AND NOT EXISTS (SELECT 1 FROM accounts_auditwaiting w WHERE w.event_id = e.id)
ORDER BY e.id LIMIT %s
"""
LOST = """
SELECT w.event_id FROM accounts_auditwaiting w
WHERE NOT EXISTS (SELECT 1 FROM accounts_auditevent e WHERE e.id = w.event_id)
ORDER BY 1 LIMIT %s
"""


@dataclass(slots=True)
class Chain:
    """What a walk along the chain has found."""

    count: int
    head: str
    waiting: int
    waiting_for: timedelta | None  # how long the first of those has waited
    since_expected: int | None  # links after the head that was expected
    breaks: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.breaks


def seal() -> int:
    """Put all events that wait into the chain; return how many those were."""
    sealed = 0
    while made := _seal_some():
        sealed += made
        if made < AT_ONCE:
            break
    return sealed


@transaction.atomic
def _seal_some() -> int:
    with connection.cursor() as cursor:
        cursor.execute(ALONE)
        if cursor.fetchone() != (True,):
            return 0
    waiting = AuditWaiting.objects.order_by("event_id").values("event_id")
    # In the order in which they were counted: what was committed late comes late.
    rows = AuditEvent.objects.filter(pk__in=waiting).order_by("pk").values(*HASHED)
    events = list(rows[:AT_ONCE])
    last = AuditSeal.objects.order_by("-position").first()
    position, head = (last.position, last.hash) if last else (0, GENESIS)
    seals, moment = [], now()
    for event in events:
        position, head = position + 1, link(head, canonical(event))
        seals.append(
            AuditSeal(
                position=position, event_id=event["id"], hash=head, sealed_at=moment
            )
        )
    AuditSeal.objects.bulk_create(seals)
    AuditWaiting.objects.filter(pk__in=[event["id"] for event in events]).delete()
    return len(events)


def verify_chain(expected: str = "") -> Chain:
    """Walk the chain, and return how long it is, its head, and where it breaks.

    `expected` is a head that somebody kept: what it sealed must still be there.
    """
    walk = Walk(expected)
    for found in _links():
        walk.take(found)
    walk.finish()
    breaks = [*walk.breaks, *_outside()]
    since = None if walk.found_at is None else walk.count - walk.found_at
    waiting, waiting_for = _waiting()
    return Chain(walk.count, walk.head, waiting, waiting_for, since, breaks, walk.late)


def _links() -> Iterator[Link]:
    """Yield every link in order, with its event as it reads now."""
    position = -(2**63)
    while seals := list(
        AuditSeal.objects.filter(position__gt=position).order_by("position")[:AT_ONCE]
    ):
        events = _events([seal.event_id for seal in seals])
        for seal in seals:
            text, created = events.get(seal.event_id, (None, None))
            yield Link(
                seal.position, seal.event_id, seal.hash, seal.sealed_at, text, created
            )
        position = seals[-1].position


def _events(ids: Sequence[int]) -> dict[int, tuple[str, datetime]]:
    rows = AuditEvent.objects.filter(pk__in=ids).order_by().values(*HASHED)
    return {row["id"]: (canonical(row), row["created"]) for row in rows}


def _outside() -> Iterator[str]:
    """Yield what is in no link and should be, or should not be there at all."""
    with connection.cursor() as cursor:
        cursor.execute(SMUGGLED, [MOST_TOLD])
        for (pk,) in cursor.fetchall():
            yield f"event {pk} was inserted: it is in no link, and waits for none"
        cursor.execute(LOST, [MOST_TOLD])
        for (pk,) in cursor.fetchall():
            yield f"event {pk} was removed before it was sealed"


def _waiting() -> tuple[int, timedelta | None]:
    rows = AuditEvent.objects.filter(pk__in=AuditWaiting.objects.values("event_id"))
    first = rows.order_by("pk").values_list("created", flat=True).first()
    return rows.count(), None if first is None else now() - first
