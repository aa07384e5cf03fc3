"""What refers to old sync runs is found, and no interval is odd."""

from __future__ import annotations

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

PACE = [
    django.core.validators.MinValueValidator(30),
    django.core.validators.MaxValueValidator(604800),
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_beat")]

    operations = [
        migrations.AlterField(
            "quarantinedreading",
            "sync",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="quarantine",
                to="accounts.syncrun",
            ),
        ),
        migrations.AlterField(
            "connection",
            "sync_interval_seconds",
            models.PositiveIntegerField(default=600, validators=PACE),
        ),
        migrations.AlterField(
            "connection",
            "trading_interval_seconds",
            models.PositiveIntegerField(
                "seconds between readings of orders, trades and positions",
                db_default=1800,
                default=1800,
                validators=PACE,
            ),
        ),
    ]
