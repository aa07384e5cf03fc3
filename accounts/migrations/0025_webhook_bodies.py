"""What providers said when they called, for a week, and how often they said it."""

from __future__ import annotations

from django.db import migrations, models


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
    ]
