"""A worker that may lose or repeat what it must not does not begin."""

from __future__ import annotations

import subprocess
import sys

import pytest
import redis

from balsync_project.celery import app
from balsync_project.safety import REFUSED, unsafe_broker, unsafe_settings
from tests.project.conftest import ROOT

KEYS = (
    "task_acks_late",
    "task_reject_on_worker_lost",
    "task_time_limit",
    "accept_content",
    "broker_transport_options",
)


@pytest.fixture
def conf():
    """Return Celery's settings as they are outside of tests."""
    return {name: app.conf[name] for name in KEYS} | {"task_always_eager": False}


@pytest.fixture
def own_valkey(private_valkey):
    client = redis.Redis.from_url(private_valkey.url)
    yield client
    client.close()


def test_our_own_settings_are_safe(conf):
    assert list(unsafe_settings(conf)) == []


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("task_acks_late", False, "acknowledged early"),
        ("task_reject_on_worker_lost", False, "acknowledged early"),
        ("task_always_eager", True, "not by a worker"),
        ("task_time_limit", None, "may last longer"),
        ("task_time_limit", 300, "may last longer"),
        ("accept_content", ["json", "pickle"], "could carry code"),
        ("broker_transport_options", {"visibility_timeout": 300}, "socket_timeout"),
        ("broker_transport_options", {"visibility_timeout": 60}, "may last longer"),
    ],
)
def test_an_unsafe_setting_is_named(conf, name, value, why):
    assert any(why in text for text in unsafe_settings(conf | {name: value}))


def test_days_without_a_time_zone_are_refused(conf, settings):
    settings.USE_TZ = False

    assert any("USE_TZ" in text for text in unsafe_settings(conf))


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru", "volatile-ttl"])
def test_a_broker_that_keeps_its_queues_is_safe(own_valkey, policy):
    own_valkey.config_set("maxmemory-policy", policy)

    assert list(unsafe_broker(own_valkey)) == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_broker_that_may_evict_queues_is_refused(own_valkey, policy):
    own_valkey.config_set("maxmemory-policy", policy)

    assert policy in next(unsafe_broker(own_valkey))


def test_a_worker_ends_that_finds_such_a_broker(
    own_valkey, private_valkey, worker_settings
):
    own_valkey.config_set("maxmemory-policy", "allkeys-lru")
    command = [sys.executable, "-m", "celery", "-A", "balsync_project", "worker"]

    worker = subprocess.run(
        [*command, "-Q", "automation", "-c", "1", "--without-gossip"],
        cwd=ROOT,
        env=worker_settings | {"REDIS_URL": private_valkey.url},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert worker.returncode == REFUSED, worker.stderr
    assert "allkeys-lru" in worker.stdout + worker.stderr
