"""What providers said when they called, for a week; and keys are looked at daily."""

from __future__ import annotations

from django.db import migrations, models


NAME, TASK = "Read keys", "accounts.tasks.read_keys"


def schedule(apps, schema_editor) -> None:
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    every = intervals.filter(every=6, period="hours").first()
    every = every or intervals.create(every=6, period="hours")
    rows.get_or_create(name=NAME, defaults={"task": TASK, "interval": every})


def unschedule(apps, schema_editor) -> None:
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    rows.filter(name=NAME).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0024_chains'),
    ]

    operations = [
        migrations.AddField(
            model_name='webhookinbox',
            name='body',
            field=models.BinaryField(help_text='As it came; erased after some days.', null=True),
        ),
        migrations.AddField(
            model_name='webhookinbox',
            name='deliveries',
            field=models.PositiveIntegerField(default=1, help_text='It counts once.'),
        ),
        migrations.RunPython(schedule, unschedule),
    ]
