from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from celery.signals import beat_init
from django.db import connections as databases
from django.utils.timezone import now
from django_celery_beat.models import PeriodicTask
from kombu.exceptions import OperationalError

from accounts import publishing, services, tasks
from accounts.models import Connection, SyncRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows(workspace):
    def make(count: int, **fields) -> list[Connection]:
        fields = {"workspace": workspace, "provider": "somewhere"} | fields
        return Connection.objects.bulk_create(
            Connection(**fields) for _ in range(count)
        )

    return make


def test_due_connections_are_claimed_in_batches_and_once(rows):
    due = rows(1201, next_sync_at=now() - timedelta(seconds=1))
    rows(3, next_sync_at=now() + timedelta(hours=1))
    rows(3, next_sync_at=None)
    rows(3, next_sync_at=now() - timedelta(hours=1), archived_at=now())

    batches = services.claim_due()

    assert [len(batch) for batch in batches] == [250, 250, 250, 250, 201]
    assert {pk for batch in batches for pk in batch} == {row.pk for row in due}
    assert services.claim_due() == []


def test_claimed_connection_is_due_again_an_interval_later(rows):
    long_ago = now() - timedelta(days=1)
    [row] = rows(1, next_sync_at=long_ago, sync_interval_seconds=300)

    services.claim_due()

    row.refresh_from_db()
    assert 290 < (row.next_sync_at - now()).total_seconds() <= 300


def test_claim_is_limited_to_the_longest_waiting(rows):
    rows(2, next_sync_at=now() - timedelta(seconds=1))
    [first] = rows(1, next_sync_at=now() - timedelta(hours=1))

    assert services.claim_due(limit=1) == [[first.pk]]


@pytest.mark.django_db(transaction=True)
def test_several_dispatchers_claim_nothing_twice(rows):
    rows(2000, next_sync_at=now() - timedelta(seconds=1))

    def claim(_):
        try:
            return [pk for batch in services.claim_due(limit=400) for pk in batch]
        finally:
            databases.close_all()

    with ThreadPoolExecutor(5) as pool:
        claimed = [pk for ids in pool.map(claim, range(5)) for pk in ids]

    assert len(claimed) == len(set(claimed))
    assert len(claimed) + sum(map(len, services.claim_due())) == 2000


def test_sync_asked_for_many_times_is_one(rows, django_user_model):
    [row] = rows(1)
    alice = django_user_model.objects.create(username="alice")

    first = services.request_sync(row, "manual", user=alice)

    assert first.status == "requested"
    assert first.requested_by == alice
    assert services.request_sync(row, "manual") == first
    SyncRun.objects.update(status="running")
    assert services.request_sync(row, "emergency") == first
    SyncRun.objects.update(status="ok")
    assert services.request_sync(row, "manual") != first


@pytest.mark.django_db(transaction=True)
def test_sync_asked_for_at_once_by_many_is_one(rows):
    [row] = rows(1)

    def ask(_):
        try:
            return services.request_sync(row, "manual").pk
        finally:
            databases.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


def test_run_that_nobody_finished_does_not_block_for_ever(rows):
    [row] = rows(1)
    old = services.request_sync(row, "manual")
    SyncRun.objects.update(created=now() - timedelta(minutes=10))

    assert services.request_sync(row, "manual") != old


def test_requested_sync_is_carried_out_once(person, bank):
    run = services.request_sync(person[1], "manual")

    done = services.run_requested(run.pk)
    asked = bank.requests
    services.run_requested(run.pk)

    stored = SyncRun.objects.get()
    assert (done.status, stored.status, stored.pk) == ("ok", "ok", run.pk)
    assert stored.kind == "manual"
    assert stored.finished >= stored.started
    assert bank.requests == asked


def test_requested_sync_of_an_archived_connection_ends(person):
    run = services.request_sync(person[1], "manual")
    person[1].archive()

    assert services.run_requested(run.pk).error_code == "archived"
    assert not SyncRun.objects.unfinished().exists()


def test_dispatcher_finds_the_requests_whose_message_was_lost(rows):
    lost, fresh, dead, running = rows(4)
    runs = {
        row.pk: services.request_sync(row, "manual")
        for row in (lost, fresh, dead, running)
    }

    def change(row, **fields):
        SyncRun.objects.filter(pk=runs[row.pk].pk).update(**fields)

    change(lost, created=now() - timedelta(seconds=11))
    change(dead, status="running", started=now() - timedelta(seconds=121))
    change(running, status="running", started=now())

    found = set(services.claim_requested())

    assert found == {runs[lost.pk].pk, runs[dead.pk].pk}
    assert services.claim_requested() == []


@pytest.mark.django_db(transaction=True)
def test_dispatcher_has_everything_that_is_due_synced(people):
    connections = [connection for _, connection in people(3, pots=1)]

    tasks.dispatch_due_syncs()

    runs = SyncRun.objects.all()
    assert {run.connection_id for run in runs} == {c.pk for c in connections}
    assert {(run.kind, run.status) for run in runs} == {("periodic", "ok")}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError, ConnectionRefusedError])
def test_broker_that_is_away_raises_nothing(rows, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(tasks.run_sync, "apply_async", refuse)

    publishing.publish(tasks.run_sync, str(uuid4()))


def test_nothing_is_published_before_the_row_is_committed(
    rows, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr(
        tasks.run_sync, "apply_async", lambda args, **_: sent.append(args)
    )
    with django_capture_on_commit_callbacks(execute=True):
        publishing.publish(tasks.run_sync, "1")
        assert sent == []
    assert sent == [("1",)]


def test_everything_is_read_at_the_start_but_what_was_read_just_now(rows, monkeypatch):
    sent = []
    monkeypatch.setattr(tasks, "publish", lambda task, *args: sent.append((task, args)))
    moment = now()
    due = rows(2, next_sync_at=moment + timedelta(hours=1))
    rows(1, next_sync_at=moment, last_sync_at=moment - timedelta(seconds=50))
    rows(1, next_sync_at=None)
    rows(1, next_sync_at=moment, archived_at=moment)

    beat_init.send(sender=None)
    [(task, _)] = sent
    task()

    [_, (queued, (ids, kind))] = sent
    assert (task, queued, kind) == (tasks.sync_at_start, tasks.sync_batch, "start_up")
    assert set(ids) == {str(row.pk) for row in due}


def test_beat_knows_the_dispatcher_and_few_others():
    rows = PeriodicTask.objects.filter(task__startswith="accounts.")

    assert rows.get(task="accounts.tasks.dispatch_due_syncs").interval.every == 5
    # Each of them costs every installation something, for ever.
    assert sorted(row.task.removeprefix("accounts.tasks.") for row in rows) == [
        "deliver_events",
        "dispatch_due_syncs",
        "forget_old_answers",
        "forget_old_events",
        "forget_old_transactions",
        "keep_history",
        "look_for_conditions",
        "read_keys",
        "refresh_rates",
        "seal_audit",
    ]
