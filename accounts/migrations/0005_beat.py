"""What the beat does for accounts."""

from __future__ import annotations

from django.db import migrations

from accounts.migrations._beat import rows

SCHEDULE = [
    ("Dispatch due syncs", "accounts.tasks.dispatch_due_syncs", 5, "seconds"),
    ("Deliver events", "accounts.tasks.deliver_events", 10, "seconds"),
    ("Look for what lasts", "accounts.tasks.look_for_conditions", 30, "seconds"),
    ("Seal the audit", "accounts.tasks.seal_audit", 60, "seconds"),
    ("Refresh rates", "accounts.tasks.refresh_rates", 10, "minutes"),
    ("Read keys", "accounts.tasks.read_keys", 6, "hours"),
    ("Keep history", "accounts.tasks.keep_history", 1, "days"),
    ("Forget old transactions", "accounts.tasks.forget_old_transactions", 1, "days"),
    ("Forget old answers", "accounts.tasks.forget_old_answers", 1, "days"),
    ("Forget old events", "accounts.tasks.forget_old_events", 1, "days"),
]


class Migration(migrations.Migration):
    # Installations that ran these have what this makes.
    replaces = [
        ("accounts", "0003_schedule"),
        ("accounts", "0004_forget_old_keys"),
        ("accounts", "0015_event_schedule"),
    ]
    dependencies = [
        ("accounts", "0004_audit"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [rows(SCHEDULE)]
