"""Who is to be synced: what somebody asks for, and what is due."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.utils.timezone import now

from accounts.models import Connection, SyncRun

from . import instant
from .auditing import audit
from .batches import batches
from .sync import sync
from .trading import WHOLE, Tell, reports_trading, see_through

TOGETHER = 250  # connections of one message
MOST = 100_000  # connections claimed at once

# The claim moves the next time, so whoever claims and dies loses one interval.
CLAIM = """
WITH due AS (
  SELECT id FROM accounts_connection
  WHERE archived_at IS NULL AND next_sync_at <= now()
  ORDER BY next_sync_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE accounts_connection c
SET next_sync_at = now() + greatest(c.sync_interval_seconds, 60) * interval '1 second'
FROM due WHERE c.id = due.id RETURNING c.id
"""

# Whoever starts again and again asks no more often than once a minute.
START = """
WITH all_of_them AS (
  SELECT id FROM accounts_connection
  WHERE archived_at IS NULL AND next_sync_at IS NOT NULL
  AND coalesce(last_sync_at, 'epoch') < now() - interval '60 seconds'
  ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE accounts_connection c
SET next_sync_at = now() + greatest(c.sync_interval_seconds, 60) * interval '1 second'
FROM all_of_them a WHERE c.id = a.id RETURNING c.id
"""

# A run just requested was published by its requester; one long running lost its worker,
# or waits for the moment to go on with orders and trades.
REQUESTED = """
WITH waiting AS (
  SELECT id FROM accounts_syncrun
  WHERE status IN ('requested', 'running')
  AND CASE WHEN status = 'requested' THEN created < now() - interval '10 seconds'
      WHEN resume_at IS NOT NULL THEN resume_at <= clock_timestamp()
      ELSE started < now() - %s END
  AND (published_at IS NULL OR published_at < now() - interval '60 seconds')
  ORDER BY created LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE accounts_syncrun r SET published_at = now()
FROM waiting WHERE r.id = waiting.id RETURNING r.id
"""


def claim_due(limit: int = MOST) -> list[list[UUID]]:
    """Claim the connections that are due and return their ids in batches."""
    return batches(_claimed(CLAIM, limit), TOGETHER)


def claim_at_start(limit: int = MOST) -> list[list[UUID]]:
    """Claim all connections, but those that were read within the last minute."""
    return batches(_claimed(START, limit), TOGETHER)


def claim_requested() -> list[UUID]:
    """Claim the requested syncs that nobody began, to be queued once more."""
    return _claimed(REQUESTED, SyncRun.LEASE)


def _claimed(statement: str, parameter: object) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [parameter])
        return [pk for (pk,) in cursor.fetchall()]


def request_sync(connection: Connection, kind: str, *, user=None) -> SyncRun:
    """Return the sync to be run for `connection`: the one under way, if there is one.

    The caller publishes `accounts.tasks.run_sync` with its id.
    """
    with transaction.atomic():
        # The lock makes one request of many that come at once.
        Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        run = _under_way(connection, kind) or _asked_for(connection, kind, user)
        transaction.on_commit(partial(instant.note_asked, connection.pk), robust=True)
        return run


def _under_way(connection: Connection, kind: str) -> SyncRun | None:
    """Return the sync that will tell what is asked for; no less than was wanted."""
    alive = now() - SyncRun.LEASE
    runs = connection.sync_runs.unfinished().filter(
        Q(created__gt=alive) | Q(resume_at__gt=alive)
    )
    if reports_trading(connection):
        # Only an emergency reads the histories again, and a periodic one not all of it.
        wanted = [kind] if kind == SyncRun.Kind.EMERGENCY else WHOLE
        runs = runs.filter(kind__in=wanted)
    return runs.first()


def _asked_for(connection: Connection, kind: str, user: Any) -> SyncRun:
    run = SyncRun.objects.create(connection=connection, kind=kind, requested_by=user)
    if user is not None or kind == SyncRun.Kind.EMERGENCY:
        new = {"kind": run.kind, "sync": run.pk}
        audit("sync.requested", connection, new=new)
    return run


def sync_now(
    connections: Sequence[Connection],
    kind: str,
    *,
    seconds: float,
    tell: Tell | None = None,
) -> list[SyncRun]:
    """Sync `connections` here and now, as somebody wants it, and write that down.

    Orders and trades are read to the end, however long that takes; `tell` hears of it.
    """
    with transaction.atomic():
        for one in connections:
            audit("sync.requested", one, new={"kind": kind})
    runs = sync(connections, kind, seconds=seconds)
    return [see_through(run, tell=tell) for run in runs]


def request_refresh(connection_id: UUID | str) -> SyncRun | None:
    """Return the sync that refreshes a connection; None where that cannot help now."""
    found = Connection.objects.filter(pk=connection_id).first()
    if found is None or not instant.may_ask(found):
        instant.end_refresh(connection_id)
        return None
    return request_sync(found, SyncRun.Kind.MANUAL)


def run_requested(sync_run_id: UUID | str) -> SyncRun:
    """Carry out a requested sync; one that is done, or running elsewhere, stays as it is."""
    run = SyncRun.objects.select_related("connection").get(pk=sync_run_id)
    if _claim(run):
        if run.connection.archived_at is not None:
            _give_up(run)
        else:
            sync([run.connection], run.kind, runs={run.connection_id: run})
    return run


def _claim(run: SyncRun) -> bool:
    unclaimed = SyncRun.objects.filter(pk=run.pk, status=SyncRun.Status.REQUESTED)
    died = SyncRun.objects.filter(
        pk=run.pk,
        status=SyncRun.Status.RUNNING,
        started__lt=now() - SyncRun.LEASE,
        resume_at=None,
    )
    begin = {"status": SyncRun.Status.RUNNING, "started": now()}
    claimed = bool(unclaimed.update(**begin) or died.update(**begin))
    if claimed:
        instant.note_running(run.connection_id)
    return claimed


def _give_up(run: SyncRun) -> None:
    run.status, run.finished = SyncRun.Status.FAILED, now()
    run.error_code, run.error = "archived", "The connection is no longer in use"
    run.save(update_fields=["status", "finished", "error_code", "error"])
    instant.end_refresh(run.connection_id)
