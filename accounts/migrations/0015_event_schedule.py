"""Beat's rows for events: made once, then they are the operator's to edit."""

from __future__ import annotations

from django.db import migrations

SCHEDULE = [
    ("Deliver events", "accounts.tasks.deliver_events", 10, "seconds"),
    ("Look for what lasts", "accounts.tasks.look_for_conditions", 30, "seconds"),
    ("Forget old events", "accounts.tasks.forget_old_events", 1, "days"),
]


def schedule(apps, schema_editor) -> None:
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for name, task, every, period in SCHEDULE:
        found = intervals.filter(every=every, period=period).first()
        interval = found or intervals.create(every=every, period=period)
        # A tick that waited this long has been followed by others.
        expires = 60 if period == "seconds" else None
        defaults = {"task": task, "interval": interval, "expire_seconds": expires}
        rows.get_or_create(name=name, defaults=defaults)


def unschedule(apps, schema_editor) -> None:
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    rows.filter(task__in=[task for _, task, _, _ in SCHEDULE]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0014_signing_keys"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(schedule, unschedule)]
