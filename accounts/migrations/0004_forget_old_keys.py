"""Beat's row for the answers to repeated requests: made once, then the operator's."""

from __future__ import annotations

from django.db import migrations

NAME, TASK = "Forget old answers", "accounts.tasks.forget_old_answers"


def schedule(apps, schema_editor) -> None:
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    found = intervals.filter(every=1, period="days").first()
    interval = found or intervals.create(every=1, period="days")
    rows.get_or_create(name=NAME, defaults={"task": TASK, "interval": interval})


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_schedule")]

    operations = [migrations.RunPython(schedule, migrations.RunPython.noop)]
