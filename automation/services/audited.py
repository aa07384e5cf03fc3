"""Compares transfers with what the audit was told of how they ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db import connection

from accounts.links import plain
from accounts.models import AuditEvent
from automation.models import Transfer

AT_ONCE = 2_000
COLUMNS = (
    *("run_id", "move", "step", "source_id", "target_id", "amount", "asset"),
    *("status", "reference"),
)
GONE = """
SELECT DISTINCT e.object_id FROM accounts_auditevent e
WHERE e.object_kind = 'transfer'
AND NOT EXISTS (SELECT 1 FROM automation_transfer t WHERE t.id::text = e.object_id)
ORDER BY 1 LIMIT 50
"""


def transfers_unlike_audit() -> Iterator[str]:
    """Yield what settled transfers say that the audit was told otherwise."""
    last = UUID(int=0)
    settled = Transfer.objects.exclude(settled_at=None).order_by("pk")
    while rows := list(settled.filter(pk__gt=last).values("pk", *COLUMNS)[:AT_ONCE]):
        told = told_of([str(row["pk"]) for row in rows])
        for row in rows:
            yield from differences(row, told.get(str(row["pk"])))
        last = rows[-1]["pk"]
    with connection.cursor() as cursor:
        cursor.execute(GONE)
        yield from (f"transfer {pk} was removed" for (pk,) in cursor.fetchall())


def told_of(ids: list[str]) -> dict[str, Mapping[str, Any]]:
    """Return what the newest event about each of these transfers says."""
    events = AuditEvent.objects.filter(
        object_kind="transfer", object_id__in=ids, new__has_key="amount"
    )
    newest = events.order_by("object_id", "-pk").distinct("object_id")
    return dict(newest.values_list("object_id", "new"))


def differences(
    row: Mapping[str, Any], told: Mapping[str, Any] | None
) -> Iterator[str]:
    if told is None:
        yield f"transfer {row['pk']} ended, and the audit was not told"
        return
    for name in COLUMNS:
        if (found := plain(row[name])) != told.get(name):
            yield f"transfer {row['pk']}: {name} is {found}, and was {told.get(name)}"
