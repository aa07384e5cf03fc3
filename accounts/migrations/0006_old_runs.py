"""What refers to old sync runs is found."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


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
    ]
