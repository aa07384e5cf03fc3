"""Puts tasks on the queue. The row is the record: a lost message costs time, no more."""

from __future__ import annotations

from functools import partial
from typing import Any

import structlog
from celery import Task
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)


def publish(task: Task, *args: Any) -> None:
    """Send `task` once the transaction is committed; never raises, never waits long.

    If the broker is away that is logged: the dispatcher finds the row later.
    """
    transaction.on_commit(partial(_send, task, args))


def _send(task: Task, args: tuple[Any, ...]) -> None:
    try:
        task.apply_async(args, retry=False)
    except (OperationalError, RedisError, OSError) as error:
        log.warning(
            "The queue is away; the dispatcher will find the work",
            task=task.name,
            error=type(error).__name__,
        )
