from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery
from django.conf import settings
from django.db import connection
from kombu.exceptions import OperationalError
from limits.storage import storage_from_string

import providers
from automation.machine import transfer
from balsync_project import broker
from balsync_project.celery import app
from providers.base import MovesMoney

ROOT = Path(__file__).parent.parent.parent
NEEDED = {
    "SECRET_KEY": "x" * 50,
    "CREDENTIAL_KEYS": "k1:aaaa",
    "BALSYNC_INSTALLATION_ID": "00000000-0000-4000-8000-000000000000",
    "DATABASE_URL": "postgres://balsync@db:5432/balsync",
}
# Where compiled modules lie is no setting; to compile everything anew takes long.
SURROUNDINGS = {
    n: os.environ[n] for n in ("PATH", "PYTHONPYCACHEPREFIX") if n in os.environ
}


def read(*names, **environment):
    """Return settings as a fresh process reads them from `environment` alone."""
    code = (
        "import json, sys; from balsync_project import settings;"
        "print(json.dumps({n: getattr(settings, n) for n in sys.argv[1:]}, default=str))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, *names],
        cwd=ROOT,
        env={**SURROUNDINGS, **NEEDED, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout)


def test_statements_are_prepared_unless_that_is_switched_off():
    usual = read("DATABASES")["DATABASES"]["default"]["OPTIONS"]
    never = read("DATABASES", DATABASE_PREPARE_AFTER="0")
    options = never["DATABASES"]["default"]["OPTIONS"]

    assert (usual["prepare_threshold"], options["prepare_threshold"]) == (5, None)


@pytest.mark.parametrize(
    ("url", "celery", "limits"),
    [
        ("redis://h:1/2", "redis://h:1/2", "redis://h:1/2"),
        ("rediss://h", "rediss://h", "rediss://h"),
        ("unix:///s.sock", "redis+socket:///s.sock", "redis+unix:///s.sock"),
        (
            "unix:///s.sock?db=3",
            "redis+socket:///s.sock?virtual_host=3",
            "redis+unix:///s.sock?db=3",
        ),
    ],
)
def test_one_redis_url_is_spelled_as_each_library_wants_it(url, celery, limits):
    assert broker.celery_url(url) == celery
    assert broker.limits_url(url) == limits


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("unix:///s.sock", "unix:///s.sock?db=7"),
        ("unix:///s.sock?db=1", "unix:///s.sock?db=7"),
        ("redis://h:1", "redis://h:1/7"),
        ("rediss://u:p@h:1/2", "rediss://u:p@h:1/7"),
    ],
)
def test_one_server_has_numbered_databases(url, other):
    assert broker.with_database(url, "7") == other


def test_every_library_reaches_the_same_server(valkey):

    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1)
    assert storage_from_string(settings.LIMITS_URL).check()
    assert valkey.ping()


def test_secrets_come_from_files_and_lose_their_last_newline(tmp_path):
    for name, content in {
        "SECRET_KEY": "from a file",
        "CREDENTIAL_KEYS": "k2:bbbb\nk1:aaaa",
        "DATABASE_PASSWORD": "hunter2",
    }.items():
        (tmp_path / name).write_text(content + "\n")
    files = {
        f"{name}_FILE": str(tmp_path / name)
        for name in ("SECRET_KEY", "CREDENTIAL_KEYS", "DATABASE_PASSWORD")
    }

    found = read("SECRET_KEY", "CREDENTIAL_KEYS", "DATABASES", **files)

    assert found["SECRET_KEY"] == "from a file"
    assert found["CREDENTIAL_KEYS"] == ["k2:bbbb", "k1:aaaa"]
    assert found["DATABASES"]["default"]["PASSWORD"] == "hunter2"


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_missing_secret_stops_the_start_and_is_named(name):
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        read("DEBUG", **{name: ""})

    assert f"Set {name}, or {name}_FILE" in stopped.value.stderr


@pytest.mark.parametrize("name", ["SYNC_RUN_DAYS", "RULE_RUN_DAYS"])
def test_runs_are_kept_for_a_day_at_least(name):
    assert read(name, **{name: "1"}) == {name: 1}

    with pytest.raises(subprocess.CalledProcessError) as stopped:
        read(name, **{name: "0"})

    assert f"{name} must be 1 or more" in stopped.value.stderr


@pytest.mark.parametrize(
    ("url", "is_secure"),
    [
        ("http://127.0.0.1:8000", False),
        ("http://localhost:8000", False),
        ("https://money.example", True),
        ("http://money.example", True),
    ],
)
def test_cookies_need_tls_unless_balsync_is_only_here(url, is_secure):
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT")

    found = read(*names, "CSRF_TRUSTED_ORIGINS", BALSYNC_PUBLIC_URL=url)

    assert {found[name] for name in names} == {is_secure}
    assert found["CSRF_TRUSTED_ORIGINS"] == [url]


def test_nothing_is_to_be_said_against_an_installation_that_others_reach():
    told = subprocess.run(
        [sys.executable, "-m", "django", "check", "--deploy", "--fail-level=WARNING"],
        cwd=ROOT,
        env={
            **SURROUNDINGS,
            **NEEDED,
            "DJANGO_SETTINGS_MODULE": "balsync_project.settings",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "BALSYNC_PUBLIC_URL": "https://money.example",
        },
        capture_output=True,
        text=True,
    )

    assert (told.returncode, told.stderr) == (0, "")
    assert "no issues (0 silenced)" in told.stdout


def test_providers_can_be_reached_elsewhere():
    elsewhere = {"bank": "http://127.0.0.1:9", "shop": {"rest": "http://127.0.0.1:8"}}

    found = read("PROVIDER_URLS", BALSYNC_PROVIDER_URLS=json.dumps(elsewhere))

    assert found["PROVIDER_URLS"] == elsewhere


def test_times_fit_each_other():
    adapters = [providers.load(slug) for slug in providers.slugs()]
    movers = [a.deadline for a in adapters if issubclass(a, MovesMoney)]
    assert (
        timedelta(seconds=max(movers))
        < transfer.LEASE
        < timedelta(seconds=settings.CELERY_TASK_SOFT_TIME_LIMIT)
        < timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT)
        < timedelta(
            seconds=settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]
        )
    )


def test_slowest_answer_comes_before_its_task_is_ended():
    slowest = max(providers.load(slug).deadline for slug in providers.slugs())

    assert slowest < settings.CELERY_TASK_SOFT_TIME_LIMIT


def test_database_gives_up_on_locks_and_long_statements(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN"
            " ('lock_timeout', 'statement_timeout',"
            " 'idle_in_transaction_session_timeout')"
        )
        assert dict(cursor.fetchall()) == {
            "lock_timeout": "5000",
            "statement_timeout": "10000",
            "idle_in_transaction_session_timeout": "10000",
        }


def test_tasks_go_to_the_queue_of_their_application():

    def queue_of(task):
        return app.amqp.router.route({}, task)["queue"].name

    assert queue_of("accounts.tasks.sync_batch") == "sync"
    assert queue_of("automation.tasks.execute_run") == "automation"


def test_version_is_the_newest_of_the_changelog():
    newest = next(
        line
        for line in (ROOT / "CHANGELOG.md").read_text().splitlines()
        if line.startswith("## [") and line[4].isdigit()
    )
    assert f"[{settings.VERSION}]" in newest


def test_publishing_gives_up_at_once_when_the_broker_is_away(tmp_path):
    away = Celery("away", set_as_current=False)
    away.config_from_object("django.conf:settings", namespace="CELERY")
    away.conf.task_always_eager = False
    away.conf.broker_url = f"redis+socket://{tmp_path}/nobody.sock"
    started = time.monotonic()

    with pytest.raises(OperationalError):
        away.send_task("accounts.tasks.run_sync", ("x",))

    assert time.monotonic() - started < 3
