"""Forgets sync runs that are long over and that nothing was found in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, ProtectedError, QuerySet
from django.utils.timezone import now

from accounts.models import Connection, SyncRun
from accounts.models.idempotency import BATCH

log = structlog.get_logger(__name__)
CONNECTIONS = 500  # looked at by one task, …
BATCHES = 10  # … which deletes so many times: it has little more than a minute


def forget_old_runs(since: UUID | str | None = None) -> UUID | None:
    """Delete sync runs older than SYNC_RUN_DAYS of some connections, from `since` on.

    Returns the connection to go on with, None where all is done. May be repeated, and
    broken off anywhere. What anything refers to stays, as do the newest run of a
    connection and its newest good one.
    """
    until = now() - timedelta(days=settings.SYNC_RUN_DAYS)
    rows = Connection.objects.order_by("pk").values_list("pk", flat=True)
    ids = rows if since is None else rows.filter(pk__gte=since)
    left = BATCHES
    for number, pk in enumerate(ids[: CONNECTIONS + 1]):
        if number == CONNECTIONS:
            return pk
        left -= _forget(_old_runs(pk, until), left)
        if not left:
            return pk
    return None


def _forget(old: QuerySet[SyncRun], most: int) -> int:
    """Delete `old` runs, at most so many times some thousands; return how many times."""
    ids = old.values_list("pk", flat=True)
    for times in range(most):
        if not (gone := _delete(list(ids[:BATCH]))):
            return times
        log.info("sync_runs_forgotten", runs=gone)
    return most


def _old_runs(connection_id: UUID, until: datetime) -> QuerySet[SyncRun]:
    """Return the runs of a connection that are over since before `until` for good."""
    runs = SyncRun.objects.filter(connection=connection_id)
    newest = runs.order_by("-created")
    good = newest.filter(status=SyncRun.Status.OK)
    kept = [*newest.values_list("pk")[:1], *good.values_list("pk")[:1]]
    old = runs.filter(created__lt=until).exclude(status__in=SyncRun.UNFINISHED)
    for relation in SyncRun._meta.related_objects:
        rows, name = relation.related_model.objects, relation.field.name
        old = old.exclude(Exists(rows.filter(**{name: OuterRef("pk")}).order_by()))
    return old.exclude(pk__in=[pk for (pk,) in kept]).order_by("created")


def _delete(ids: Sequence[UUID]) -> int:
    """Delete these runs but those that something refers to all the same; return how many."""
    if not ids:
        return 0
    try:
        with transaction.atomic():
            return SyncRun.objects.filter(pk__in=ids).only("pk").delete()[0]
    except (ProtectedError, IntegrityError) as error:
        if len(ids) == 1:
            log.warning("sync_run_kept", sync=str(ids[0]), error=str(error)[:300])
            return 0
    middle = len(ids) // 2
    return _delete(ids[:middle]) + _delete(ids[middle:])
