"""Figures out of Redis: the queues, the breakers, the signs of life."""

from __future__ import annotations

from collections.abc import Iterator

import redis
from celery import current_app
from django.conf import settings
from django.utils.timezone import now
from prometheus_client.core import Metric

import providers
from accounts.api.breakers import breaker_of
from balsync_project import heartbeats, jobs

from .database import gauge

STATES = ("closed", "open", "half_open", "unknown")
UNACKNOWLEDGED = "unacked"  # as Celery's transport calls them


def figures() -> Iterator[Metric]:
    """Yield every figure that Redis tells; raises RedisError."""
    with heartbeats.store() as client:
        depths = depths_of(client)
        ages = heartbeats.ages(client)
    text = "Messages that wait for a worker, and those that workers have taken."
    yield gauge("queue_depth", text, ["queue"], depths.items())
    text = "Since the last sign of life; missing: there never was one."
    yield gauge("heartbeat_age_seconds", text, ["role"], ages.items())
    yield from jobs_done()
    found = {slug: breaker_of(slug)["state"] for slug in providers.slugs()}
    yield gauge(
        "breaker_state",
        "1: the circuit of this provider is in this state.",
        ["provider", "state"],
        [(slug, s, int(s == now)) for slug, now in found.items() for s in STATES],
    )


def jobs_done() -> Iterator[Metric]:
    """Yield beat's jobs by name: their number is that of its rows."""
    found = jobs.known()
    ages = [
        (job.name, job.done_at and (now() - job.done_at).total_seconds())
        for job in found
    ]
    text = "Since a job of beat last did its work; missing: nothing is known of it."
    yield gauge("job_done_seconds", text, ["job"], ages)
    late = [(job.name, job.late.total_seconds()) for job in found]
    yield gauge("job_late_seconds", "By how much it is late.", ["job"], late)


def depths_of(client: redis.Redis) -> dict[str, int]:
    """Return how many messages wait, by queue."""
    queues = queue_names()
    pipe = client.pipeline(transaction=False)
    for name in queues:
        pipe.llen(name)
    pipe.hlen(UNACKNOWLEDGED)
    return dict(zip((*queues, "taken"), pipe.execute(), strict=True))


def queue_names() -> list[str]:
    """Return the queues that tasks are routed to."""
    routed = {told["queue"] for told in settings.CELERY_TASK_ROUTES.values()}
    return sorted(routed | {current_app.conf.task_default_queue})
