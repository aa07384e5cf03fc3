"""The queue: two workers' queues, one beat, and the logs they share with the web."""

from __future__ import annotations

import logging.config
import os
from typing import Any

from celery import Celery, Task
from celery.signals import (
    setup_logging,
    task_postrun,
    task_prerun,
    task_success,
    worker_process_init,
)
from django.conf import settings
from django.db import close_old_connections
from django_structlog.celery.steps import DjangoStructLogInitStep

from accounts.acting import Actor, acting

from . import garbage, heartbeats
from .safety import Safety
from .worker import Heartbeat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "balsync_project.settings")


class Job(Task):
    """A task that acts under its own name, whoever has asked for it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with acting(lambda: Actor(self.name, "job")):
            # A worker keeps its request already, and nobody asks for it elsewhere.
            return self.run(*args, **kwargs)


app = Celery("balsync", task_cls=Job)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)
app.steps["consumer"].add(Safety)
app.steps["consumer"].add(Heartbeat)


@setup_logging.connect
def use_our_logs(**_: object) -> None:
    """Keep Celery from replacing the log handlers of the settings."""
    logging.config.dictConfig(settings.LOGGING)


@task_success.connect
def tell_of_job(sender: Task, **_: object) -> None:
    """Write down that one of beat's jobs has done its work; others leave no trace."""
    # Beat puts the name of its row into the message.
    if name := getattr(sender.request, "periodic_task_name", None):
        heartbeats.job_done(name)


@task_prerun.connect
@task_postrun.connect
def keep_good_connections(sender: Task, **_: object) -> None:
    """Close connections to the database that are old or broken, and keep the others.

    To open one, and plan anew what each run asks, takes twice as long as a run.
    """
    if not sender.request.is_eager:
        close_old_connections()


@worker_process_init.connect
def collect_garbage_rarely(**_: object) -> None:
    """Spare what is loaded for good: a third of a sync's CPU."""
    garbage.collect_rarely(garbage.IN_BULK)
