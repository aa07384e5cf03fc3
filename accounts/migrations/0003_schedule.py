"""Beat's rows: made once, then they are the operator's to edit."""

from __future__ import annotations

from django.db import migrations

SCHEDULE = [
    ("Dispatch due syncs", "accounts.tasks.dispatch_due_syncs", 5, "seconds"),
    ("Forget old transactions", "accounts.tasks.forget_old_transactions", 1, "days"),
]


def schedule(apps, schema_editor) -> None:
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for name, task, every, period in SCHEDULE:
        found = intervals.filter(every=every, period=period).first()
        interval = found or intervals.create(every=every, period=period)
        rows.get_or_create(name=name, defaults={"task": task, "interval": interval})


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_guards"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(schedule, migrations.RunPython.noop)]
