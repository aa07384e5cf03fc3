"""What a queue does wrong, with a real worker: messages lost, doubled, or not taken."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import redis
from celery import Celery
from django.db import connection
from django.test import Client

from accounts.models import Membership
from automation import services
from automation.models import RuleRun
from balsync_project import broker
from balsync_project.celery import app
from tests.fixtures_worker import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
EXECUTE, SWEEP = "automation.tasks.execute_run", "automation.tasks.sweep_unsettled"
HANGS = 120  # seconds: with a frozen queue it would be for ever


@pytest.fixture
def valkey(private_valkey) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(private_valkey.url)
    yield client
    client.close()


@pytest.fixture
def queue(private_valkey) -> Iterator[Celery]:
    """What this process publishes goes to the private Valkey, as a web server's would."""
    was = app.conf.broker_url, app.conf.task_always_eager
    app.conf.broker_url = broker.celery_url(private_valkey.url)
    app.conf.task_always_eager = False
    app._after_fork()  # forgets its connections
    yield app
    app.conf.broker_url, app.conf.task_always_eager = was
    app._after_fork()


@pytest.fixture
def run(topup) -> RuleRun:
    started, _ = services.start_run(topup, "one", trigger_kind="manual")
    return started


def is_over(run: RuleRun) -> bool:
    run.refresh_from_db()
    return run.finished_at is not None


def has_succeeded(run: RuleRun) -> bool:
    run.refresh_from_db()
    return run.status == RuleRun.Status.SUCCEEDED


def test_a_lost_message_is_found_by_the_sweeper(
    valkey, queue, run, celery_worker_process, moved
):
    queue.send_task(EXECUTE, [str(run.pk)])
    assert valkey.llen("automation") == 1
    valkey.flushall()
    celery_worker_process("-c", "1")

    queue.send_task(SWEEP)  # as a beat does

    wait_until(lambda: has_succeeded(run), "the run")
    assert list(moved().values()) == [1]


def test_a_message_that_comes_eight_times_moves_money_once(
    valkey, queue, run, celery_worker_process, moved
):
    for _ in range(8):
        queue.send_task(EXECUTE, [str(run.pk)])
    celery_worker_process("-c", "2")

    wait_until(lambda: has_succeeded(run), "the run")
    wait_until(
        lambda: not valkey.llen("automation") and not valkey.hlen("unacked"),
        "the end of the queue",
    )
    assert list(moved().values()) == [1]
    assert RuleRun.objects.count() == 1


NOTED = """
CREATE TABLE noted AS SELECT id AS run, pg_backend_pid() AS pid FROM automation_rulerun;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO noted VALUES (NEW.id, pg_backend_pid()); RETURN NULL; END $$;
CREATE TRIGGER note AFTER UPDATE ON automation_rulerun
  FOR EACH ROW EXECUTE FUNCTION note();
"""
FORGOTTEN = "DROP FUNCTION note CASCADE; DROP TABLE noted"


@pytest.fixture
def noted() -> Iterator[None]:
    """Note for each change of a run by which connection it was made."""
    with connection.cursor() as cursor:
        cursor.execute(NOTED)
    yield
    with connection.cursor() as cursor:
        cursor.execute(FORGOTTEN)


@pytest.fixture
def carried_out(noted, queue, topup, celery_worker_process):
    """Let one worker carry out runs; each call returns the connections that did."""
    celery_worker_process("-c", "1")

    def carry_out(key):
        run, _ = services.start_run(topup, key, trigger_kind="manual")
        queue.send_task(EXECUTE, [str(run.pk)])
        wait_until(lambda: is_over(run), "the run")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pid FROM noted WHERE run = %s", [run.pk])
            return {pid for (pid,) in cursor.fetchall()}

    return carry_out


def test_a_worker_keeps_its_connection_from_one_task_to_the_next(carried_out):
    (first,) = carried_out("one")

    assert carried_out("two") == carried_out("three") == {first}


def test_a_worker_whose_connection_was_ended_opens_another(carried_out):
    (first,) = carried_out("one")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])

    (other,) = carried_out("two")
    assert other != first


def test_a_frozen_queue_does_not_hold_a_web_request(
    private_valkey, queue, topup, django_user_model, moved
):
    user = django_user_model.objects.create_superuser("alice", password="secret")
    Membership.objects.create(workspace=topup.workspace, user=user, role="admin")
    client = Client()
    client.force_login(user)
    private_valkey.freeze()
    signal.alarm(HANGS)  # ends the process: a hang cannot be told otherwise

    answer = client.post(
        f"/api/v1/rules/{topup.pk}/runs/",
        content_type="application/json",
        headers={"Idempotency-Key": "one"},
    )

    signal.alarm(0)
    private_valkey.thaw()
    assert answer.status_code == 202, answer.content
    services.execute_run(services.due_runs()[0])
    assert has_succeeded(RuleRun.objects.get())
    assert list(moved().values()) == [1]
