"""Beat's jobs: when each last did its work, and which should have done it by now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.utils.timezone import now
from django_celery_beat.models import PeriodicTask

from . import heartbeats

TOLERANCE = 0.1  # of the time since it was last done
VITAL = timedelta(hours=1)  # what is done this often keeps balances and rules going


@dataclass(frozen=True, slots=True)
class Job:
    """One row of beat's schedule; `done_at` is None where nothing is known of it."""

    name: str
    task: str
    done_at: datetime | None
    every: timedelta
    late: timedelta  # zero: in time

    @property
    def is_vital(self) -> bool:
        return self.every <= VITAL


def known() -> list[Job]:
    """Return every job that is switched on; raises RedisError and DatabaseError."""
    with heartbeats.store() as client:
        since, done = heartbeats.jobs_done(client)
    rows = PeriodicTask.objects.filter(enabled=True, one_off=False, clocked=None)
    rows = rows.select_related("interval", "crontab", "solar").order_by("name")
    return [job_of(row, since, done) for row in rows]


def job_of(row: PeriodicTask, since: float, done: Mapping[str, float]) -> Job:
    """Return one job; what is not known to have been done counts from `since`.

    So does a vital one that was last done before: nobody was there to do it.
    """
    last = done.get(row.name)
    job = job_from(row, since if last is None else last)
    if last is not None and last < since and job.is_vital:
        job = replace(job_from(row, since), done_at=job.done_at)
    return job if last is not None else replace(job, done_at=None)


def job_from(row: PeriodicTask, seconds: float) -> Job:
    """Return a job that was last done at this Unix time."""
    moment = datetime.fromtimestamp(seconds, UTC)
    age, left = now() - moment, row.schedule.remaining_estimate(moment)
    return Job(row.name, row.task, moment, age + left, lateness(age, -left))


def lateness(age: timedelta, overdue: timedelta) -> timedelta:
    """Return by how much a job is late: a minute or a tenth of its time is no news."""
    patience = max(settings.HEARTBEAT_LOST_AFTER, TOLERANCE * age)
    return overdue if overdue > patience else timedelta()
