"""Finds what is open, of an account and of a rule, without a look at all that is over."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import PROTECT, ForeignKey, Q

# PostgreSQL expects a third of all rows beyond a moment that it does not know, and may look
# through all of them; between two moments it expects few.
LEAVING = """
CREATE OR REPLACE FUNCTION automation_leaving(account uuid, seen timestamptz)
RETURNS numeric LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN (
    SELECT coalesce(sum(t.amount), 0) FROM automation_transfer t
    WHERE t.source_id = account AND t.settled_at IS NULL AND t.status <> 'pending'
  ) + (
    SELECT coalesce(sum(t.amount), 0) FROM automation_transfer t
    WHERE t.source_id = account AND t.settled_at > seen{end} AND t.status = 'done'
  );
END $$;
"""
OPEN = ["pending", "sending", "unknown"]
BEFORE, ON = "automation_transfer_target_id_091ba55a", "automation_transfer (target_id)"
UNFINISHED = ["due", "notified", "awaiting_approval", "planned", "running"]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_old_runs"), ("automation", "0006_leaving")]

    operations = [
        migrations.RunSQL(
            LEAVING.format(end=" AND t.settled_at < 'infinity'"), LEAVING.format(end="")
        ),
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
                condition=Q(status__in=OPEN, settled_at=None)
                | Q(~Q(status__in=OPEN), settled_at__isnull=False),
                name="open_until_settled",
            ),
        ),
    ]
