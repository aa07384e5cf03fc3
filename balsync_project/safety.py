"""What must be so before a worker may move money: looked at whenever it gets its queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import redis
import structlog
from celery import bootsteps
from celery.exceptions import WorkerShutdown
from django.conf import settings

from . import heartbeats

log = structlog.get_logger(__name__)
EVICTS_QUEUES = "allkeys-"
REFUSED = 78  # EX_CONFIG of <sysexits.h>


class Safety(bootsteps.StartStopStep):
    """Ends a worker whose settings or whose broker may lose or repeat what it must not."""

    requires = {"celery.worker.consumer.connection:Connection"}

    def start(self, parent: Any) -> None:
        """Look at both; raises WorkerShutdown, or RedisError while the broker is away."""
        with heartbeats.store() as client:
            wrong = [*unsafe_settings(parent.app.conf), *unsafe_broker(client)]
        for text in wrong:
            log.critical("unsafe", problem=text)
        if wrong:
            raise WorkerShutdown(REFUSED)


def unsafe_settings(conf: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong about Celery's settings, and about Django's time zones."""
    options = conf["broker_transport_options"]
    limit = conf["task_time_limit"] or float("inf")
    if not settings.USE_TZ:
        yield "USE_TZ is off: moments would have no time zone"
    if not (conf["task_acks_late"] and conf["task_reject_on_worker_lost"]):
        yield "Tasks are acknowledged early: a killed worker would lose them"
    if conf["task_always_eager"]:
        yield "Tasks are carried out where they are published, not by a worker"
    if limit >= options.get("visibility_timeout", 3600):
        yield "A task may last longer than the broker waits until it repeats it"
    if not options.get("socket_timeout"):
        yield "Without a socket_timeout a broker that hangs is waited for for ever"
    if list(conf["accept_content"]) != ["json"]:
        yield "Other messages than JSON are accepted: they could carry code"


def unsafe_broker(client: redis.Redis) -> Iterator[str]:
    """Yield why this Redis may throw away what is queued; raises RedisError."""
    # INFO, because hosted servers forbid CONFIG.
    policy = client.info("memory").get("maxmemory_policy", "unknown")
    if policy == "unknown" or policy.startswith(EVICTS_QUEUES):
        yield (
            f"The broker's maxmemory-policy is {policy}: it would silently throw away"
            " queued messages. Set noeviction"
        )
