"""Signs of life of beat and the workers: a key in Redis, and a file for containers."""

from __future__ import annotations

import os
import time
from pathlib import Path

import redis
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

ROLES = ("beat", "worker-sync", "worker-automation")
JOBS = "balsync:jobs"  # beat's: name → when it last did its work
SINCE = ""  # the field that says since when they are written down
KEPT_SECONDS = 24 * 3600
PATIENCE_SECONDS = 2


def store() -> redis.Redis:
    """Return a connection that gives up soon."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
    )


def write(role: str) -> None:
    """Say that `role` is alive; a broker that is away is logged, not fatal."""
    if folder := os.environ.get("BALSYNC_HEARTBEAT_DIR"):
        (Path(folder) / role).touch()
    try:
        with store() as client:
            client.set(_key(role), f"{time.time():.3f}", ex=KEPT_SECONDS)
    except redis.RedisError as error:
        log.warning("heartbeat_lost", role=role, error=str(error))


def ages(client: redis.Redis) -> dict[str, float | None]:
    """Return how many seconds ago each role was alive; None for never."""
    values = client.mget([_key(role) for role in ROLES])
    now = time.time()
    return {
        role: None if value is None else max(0.0, now - float(value))
        for role, value in zip(ROLES, values, strict=True)
    }


def job_done(name: str) -> None:
    """Say that a job of beat has done its work; a broker that is away is logged."""
    try:
        with store() as client:
            client.hset(JOBS, name, f"{time.time():.3f}")
    except redis.RedisError as error:
        log.warning("heartbeat_lost", job=name, error=str(error))


def jobs_done(client: redis.Redis) -> tuple[float, dict[str, float]]:
    """Return since when jobs are written down, and when each was last done (Unix time)."""
    pipe = client.pipeline(transaction=False)
    pipe.hsetnx(JOBS, SINCE, f"{time.time():.3f}")
    pipe.hgetall(JOBS)
    _, found = pipe.execute()
    moments = {name.decode(): float(moment) for name, moment in found.items()}
    return moments.pop(SINCE), moments


def clear() -> None:
    """Forget earlier signs of life, so that a start waits for new ones."""
    with store() as client:
        client.delete(*map(_key, ROLES))
        client.hset(JOBS, SINCE, f"{time.time():.3f}")


def _key(role: str) -> str:
    return f"balsync:heartbeat:{role}"
