"""Rows of the beat: made once, then they are the operator's to edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import migrations


def rows(
    schedule: Sequence[tuple[str, str, int, str]],
    nightly: Mapping[str, tuple[str, str]] | None = None,
) -> migrations.RunPython:
    """Return what makes a row per job: its name, its task, every so many, of what.

    `nightly` names jobs of one moment of each day: task, and hour and minute in UTC.
    """

    def make(apps, schema_editor) -> None:
        for name, task, every, period in schedule:
            # A tick that waited a minute has been followed by others.
            expires = 60 if period == "seconds" else None
            interval = first(apps, "IntervalSchedule", every=every, period=period)
            told = {"task": task, "interval": interval, "expire_seconds": expires}
            jobs(apps).get_or_create(name=name, defaults=told)
        for name, (task, moment) in (nightly or {}).items():
            hour, minute = moment.split(":")
            at = {"hour": hour, "minute": minute, "timezone": "UTC"}
            told = {"task": task, "crontab": first(apps, "CrontabSchedule", **at)}
            jobs(apps).get_or_create(name=name, defaults=told)

    def unmake(apps, schema_editor) -> None:
        tasks = [row[1] for row in schedule]
        tasks += [task for task, _ in (nightly or {}).values()]
        jobs(apps).filter(task__in=tasks).delete()

    return migrations.RunPython(make, unmake)


def jobs(apps) -> Any:
    return apps.get_model("django_celery_beat", "PeriodicTask").objects


def first(apps, model: str, **told: Any) -> Any:
    known = apps.get_model("django_celery_beat", model).objects
    return known.filter(**told).first() or known.create(**told)
