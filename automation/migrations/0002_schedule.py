"""The beat's rows; an operator edits them, so they are only ever made once."""

from __future__ import annotations

from django.db import migrations

SCHEDULE = [
    ("Dispatch due rules", "automation.tasks.dispatch_due_rules", 5),
    ("Sweep unsettled transfers", "automation.tasks.sweep_unsettled", 15),
]


def add(apps, schema_editor):
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for name, task, seconds in SCHEDULE:
        interval = intervals.filter(every=seconds, period="seconds").first()
        rows.get_or_create(
            name=name,
            defaults={
                "task": task,
                "interval": interval or intervals.create(every=seconds, period="seconds"),
                # A tick that waited this long has been followed by others.
                "expire_seconds": 60,
            },
        )


def remove(apps, schema_editor):
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    rows.filter(task__in=[task for _, task, _ in SCHEDULE]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("automation", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(add, remove)]
