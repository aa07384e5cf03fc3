"""Silence is a failure that is named: 503 and what is silent, never a false 200."""

from __future__ import annotations

import os
import re
import time
from datetime import timedelta

import pytest
from celery.signals import task_success
from django.contrib.auth.models import User
from django.db import connection
from django_celery_beat.models import PeriodicTask

import providers
from accounts.tasks import deliver_events
from balsync_project import heartbeats, jobs, probe
from providers.drivers import configure, gate_for
from tests import fixtures_api

world = fixtures_api.world


@pytest.fixture
def everybody_alive(valkey):
    for role in heartbeats.ROLES:
        heartbeats.write(role)


def silence(client, role, seconds):
    client.set(f"balsync:heartbeat:{role}", time.time() - seconds)


@pytest.mark.parametrize("path", ["/health/ready", "/api/health"])
def test_ready_when_everything_gives_signs_of_life(client, db, everybody_alive, path):
    answer = client.get(path)

    assert answer.status_code == 200
    assert set(answer.json()["checks"].values()) == {"ok"}
    assert "no-cache" in answer["Cache-Control"]


@pytest.mark.parametrize("role", heartbeats.ROLES)
def test_silent_role_is_named(client, db, valkey, everybody_alive, role):
    silence(valkey, role, seconds=61)

    answer = client.get("/health/ready")

    assert answer.status_code == 503
    # A few seconds more on a machine that does much else.
    assert re.fullmatch(rf"{role}: silent for 6\d s", answer.json()["reason"])


@pytest.mark.parametrize("role", heartbeats.ROLES)
def test_short_pause_is_no_silence(client, db, valkey, everybody_alive, role):
    silence(valkey, role, seconds=40)

    assert client.get("/health/ready").status_code == 200


def test_role_that_never_started_is_named(client, db, valkey, everybody_alive):
    heartbeats.clear()

    assert "beat: no sign of life yet" in client.get("/health/ready").json()["reason"]


def test_broker_that_is_away_is_named(client, db, settings, tmp_path):
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"

    answer = client.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "ok"
    assert "nobody.sock" in answer.json()["checks"]["broker"]


@pytest.mark.django_db(transaction=True)
def test_database_that_is_away_is_named(client, everybody_alive, tmp_path):
    real = connection.settings_dict["OPTIONS"]
    connection.close()
    connection.settings_dict["OPTIONS"] = {**real, "host": str(tmp_path)}
    try:
        answer = client.get("/health/ready")
    finally:
        connection.close()
        connection.settings_dict["OPTIONS"] = real

    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] != "ok"
    assert answer.json()["checks"]["broker"] == "ok"


def test_live_asks_nobody_else(client, settings, tmp_path):
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"

    assert client.get("/health/live").status_code == 200


def test_heartbeat_without_a_broker_is_logged_and_the_worker_goes_on(
    settings, tmp_path, caplog
):
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"

    heartbeats.write("beat")

    assert "heartbeat_lost" in caplog.text


def test_heartbeat_touches_a_file_for_the_container(valkey, monkeypatch, tmp_path):
    monkeypatch.setenv("BALSYNC_HEARTBEAT_DIR", str(tmp_path))

    heartbeats.write("worker-sync")

    assert probe.main(["heartbeat", str(tmp_path / "worker-sync"), "60"]) == 0


def test_probe_sees_an_old_heartbeat_and_a_missing_one(tmp_path):
    old = tmp_path / "beat"
    old.touch()
    os.utime(old, (time.time() - 61, time.time() - 61))

    assert probe.main(["heartbeat", str(old), "60"]) == 1
    assert probe.main(["heartbeat", str(tmp_path / "never"), "60"]) == 1


def test_probe_asks_an_address(live_server):
    assert probe.main(["url", f"{live_server.url}/health/live"]) == 0
    assert probe.main(["url", f"{live_server.url}/no/such/page"]) == 1
    assert probe.main(["url", "http://127.0.0.1:9/"]) == 1


def test_probe_called_wrongly_says_how(capsys):
    assert probe.main(["what"]) == 2
    assert "usage" in capsys.readouterr().err


def test_job_that_nobody_does_is_named_to_members_and_counted_for_all(
    world, client, valkey, everybody_alive
):
    assert client.get("/health/ready").status_code == 200
    fast, slow = "Dispatch due syncs", "Forget old transactions"
    valkey.hset(heartbeats.JOBS, heartbeats.SINCE, time.time() - 9 * 86_400)
    for job in PeriodicTask.objects.exclude(name__in=[fast, slow]):
        heartbeats.job_done(job.name)
    valkey.hset(heartbeats.JOBS, fast, time.time() - 600)

    answer = client.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json()["reason"] == "jobs: 1 of beat's jobs late"
    told = world.viewer.get("/api/v1/health/")
    found = {job["name"]: job for job in told.json()["jobs"]}
    assert told.json()["status"] == "unready"
    assert 590 < found[fast]["late_seconds"] < 610
    assert found[slow]["done_at"] is None
    assert found[slow]["late_seconds"] > 7 * 86_400
    assert found["Deliver events"]["late_seconds"] == 0
    assert found["Prove transfers"]["every_seconds"] <= 86_400
    world.stranger.user.memberships.all().delete()
    assert world.stranger.get("/api/v1/health/").status_code == 403
    assert world.clients["anonymous"].get("/api/v1/health/").status_code == 401
    client.force_login(User.objects.create_superuser("root"))
    assert "late by 9 min" in client.get("/admin/health/").content.decode()
    heartbeats.clear()  # a start: what was not done before it does not count
    assert "jobs" not in client.get("/health/ready").json()["reason"]


def test_source_that_is_ill_is_on_the_page_with_the_reason(client, valkey, world):
    slug = next(s for s in providers.slugs() if "api" in providers.load(s).hosts)
    configure(None)
    gate = gate_for(slug)
    for _ in range(3):
        gate.leave(ok=False, kind="unanswered")
    gate.flush()
    client.force_login(User.objects.create_superuser("root"))

    page = client.get("/admin/health/").content.decode()

    assert "3 failures in a row: unanswered" in page
    assert "degraded" in page
    configure(None)


def test_job_of_beat_that_was_done_is_written_down_and_no_other_task(db, valkey):
    for name in ("Deliver events", None):
        deliver_events.push_request(periodic_task_name=name)
        task_success.send(deliver_events, result=None)
        deliver_events.pop_request()

    _, done = heartbeats.jobs_done(valkey)

    assert list(done) == ["Deliver events"]


@pytest.mark.parametrize(
    ("every", "age", "is_late"),
    [(5, 64, False), (5, 66, True), (86_400, 90_000, False), (86_400, 97_000, True)],
)
def test_job_is_late_after_a_minute_or_a_tenth_of_its_time(every, age, is_late):
    age = timedelta(seconds=age)

    assert bool(jobs.lateness(age, age - timedelta(seconds=every))) is is_late
