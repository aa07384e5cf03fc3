"""What the beat does for rules."""

from __future__ import annotations

from django.db import migrations

from accounts.migrations._beat import rows

SCHEDULE = [
    ("Dispatch due rules", "automation.tasks.dispatch_due_rules", 5, "seconds"),
    ("Sweep unsettled transfers", "automation.tasks.sweep_unsettled", 15, "seconds"),
]
NIGHTLY = {"Prove transfers": ("automation.tasks.prove_transfers", "3:40")}


class Migration(migrations.Migration):
    # Installations that ran these have what this makes.
    replaces = [
        ("automation", "0002_schedule"),
    ]
    dependencies = [
        ("automation", "0003_told"),
        ("accounts", "0005_beat"),
    ]

    operations = [rows(SCHEDULE, NIGHTLY)]
