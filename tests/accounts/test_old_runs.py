"""Sync runs are forgotten one day, but for those that somebody may still ask about."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts import services, tasks
from accounts.models import (
    BookCursor,
    Connection,
    Correction,
    Discrepancy,
    QuarantinedReading,
    SyncRun,
)
from accounts.services import old_runs
from tests import fixtures_api

world = fixtures_api.world
pytestmark = pytest.mark.django_db
DAYS = 30


@pytest.fixture(autouse=True)
def few_days(settings):
    settings.SYNC_RUN_DAYS = DAYS


def run(connection: Connection, days: float, status: str = "ok", **more) -> SyncRun:
    """Return a sync run that was made so many days ago."""
    made = SyncRun.objects.create(connection=connection, status=status, **more)
    made.created = now() - timedelta(days=days)
    made.save(update_fields=["created"])
    return made


def left(*connections: Connection) -> set[UUID]:
    rows = SyncRun.objects.filter(connection__in=connections)
    return set(rows.values_list("pk", flat=True))


def deletions(seen) -> int:
    begins = 'DELETE FROM "accounts_syncrun"'
    return sum(query["sql"].startswith(begins) for query in seen)


def test_runs_that_are_old_go_and_young_ones_stay(world):
    connection = world.mine.connection
    for days, status in ((DAYS + 1, "ok"), (200, "failed"), (400, "partial")):
        run(connection, days, status)
    young = [run(connection, days) for days in (DAYS - 1, 1)]

    assert services.forget_old_runs() is None

    assert left(connection) == {world.mine.sync.pk, *(row.pk for row in young)}


def test_newest_run_and_newest_good_one_stay_whatever_their_age(world):
    connection = world.mine.cash.connection
    rows = [
        run(connection, days, status)
        for days, status in (
            (900, "ok"),
            (800, "ok"),
            (700, "failed"),
            (600, "partial"),
            (500, "failed"),
        )
    ]

    services.forget_old_runs()

    assert left(connection) == {rows[1].pk, rows[4].pk}


@pytest.mark.parametrize("status", SyncRun.UNFINISHED)
def test_run_that_is_not_over_stays(world, status):
    kept = run(world.mine.connection, 400, status)

    services.forget_old_runs()

    assert kept.pk in left(world.mine.connection)


def test_run_that_anything_refers_to_stays_with_it(world):
    mine = world.mine
    run(mine.connection, 399)
    referred = [run(mine.connection, 400 + n, kind="emergency") for n in range(4)]
    of_correction, of_difference, of_reading, of_cursor = referred
    Correction.objects.create(sync=of_correction, account=mine.main, field="name")
    Discrepancy.objects.filter(account=mine.main).update(sync=of_difference)
    QuarantinedReading.objects.filter(connection=mine.connection).update(
        sync=of_reading
    )
    cursor = {"what": "trades", "book": "b", "since": now()}
    BookCursor.objects.create(connection=mine.connection, sync=of_cursor, **cursor)

    services.forget_old_runs()

    assert left(mine.connection) == {mine.sync.pk, *(row.pk for row in referred)}
    assert BookCursor.objects.filter(sync=of_cursor).exists()
    # Every table that knows of sync runs is among these.
    assert len(SyncRun._meta.related_objects) == len(referred)


def test_run_that_cannot_be_deleted_stops_no_other(world):
    connection = world.mine.connection
    rows = [run(connection, 100 + n) for n in range(9)]
    with database.cursor() as cursor:
        # Of somebody who keeps tables of their own beside ours.
        cursor.execute("CREATE TABLE theirs (run uuid REFERENCES accounts_syncrun)")
        cursor.execute("INSERT INTO theirs VALUES (%s)", [rows[4].pk])

    assert services.forget_old_runs() is None

    assert left(connection) == {world.mine.sync.pk, rows[4].pk}


def test_old_runs_go_a_few_at_a_time_and_so_do_connections(world, queued, monkeypatch):
    for name, few in (("BATCH", 2), ("BATCHES", 2), ("CONNECTIONS", 1)):
        monkeypatch.setattr(old_runs, name, few)
    of_both = world.mine.connection, world.theirs.connection
    for connection in of_both:
        for n in range(5):
            run(connection, 100 + n)
    queued.append((tasks.forget_old_runs,))
    done = []

    while queued:
        task, *args = queued.pop()
        with CaptureQueriesContext(database) as seen:
            task(*args)
        done.append(deletions(seen))

    assert left(*of_both) == {world.mine.sync.pk, world.theirs.sync.pk}
    assert max(done) == 2  # of two rows each
    assert sum(done) == 2 * 3


def test_daily_job_forgets_old_runs(queued):
    tasks.forget_old_events()

    assert queued == [(tasks.forget_old_runs,)]


def test_what_refers_to_a_run_is_found_without_reading_a_table():
    for relation in SyncRun._meta.related_objects:
        table, column = relation.related_model._meta.db_table, relation.field.column
        with database.cursor() as cursor:
            found = database.introspection.get_constraints(cursor, table).values()
        assert any(c["index"] and c["columns"][:1] == [column] for c in found), table
