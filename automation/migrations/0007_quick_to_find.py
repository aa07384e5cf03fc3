"""Finds what is open, of an account and of a rule, without a look at all that is over."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import PROTECT, ForeignKey, Q

from ._leaving import FIRST, SINCE

OPEN = Q(status__in=["pending", "sending", "unknown"])
BEFORE, ON = "automation_transfer_target_id_091ba55a", "automation_transfer (target_id)"
UNFINISHED = ["due", "notified", "awaiting_approval", "planned", "running"]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_old_runs"), ("automation", "0006_leaving")]

    operations = [
        migrations.RunSQL(SINCE, FIRST),
        migrations.RemoveIndex("rulerun", "run_unfinished"),
        migrations.AddIndex(
            "rulerun",
            models.Index(
                fields=["rule", "next_attempt_at"],
                condition=Q(status__in=UNFINISHED),
                name="run_unfinished",
            ),
        ),
        # Left to itself, Django would make the foreign key anew as well.
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    f"DROP INDEX {BEFORE}", f"CREATE INDEX {BEFORE} ON {ON}"
                )
            ],
            [
                migrations.AlterField(
                    "transfer",
                    "target",
                    ForeignKey(
                        "accounts.account",
                        PROTECT,
                        related_name="inflows",
                        db_index=False,
                    ),
                )
            ],
        ),
        migrations.AddIndex(
            "transfer",
            models.Index(fields=["target", "settled_at"], name="transfer_by_target"),
        ),
        migrations.AddConstraint(
            "transfer",
            models.CheckConstraint(
                condition=OPEN & Q(settled_at=None)
                | ~OPEN & Q(settled_at__isnull=False),
                name="open_until_settled",
            ),
        ),
    ]
