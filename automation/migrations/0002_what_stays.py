"""What was planned and what a person decided stays as it was written."""

from __future__ import annotations

from django.db import migrations

from accounts.migrations._guards import append_only

FROZEN = ["id", "run_id", "move", "step", "source_id", "target_id", "amount", "asset"]
NAMED = ", ".join(FROZEN)
GUARD = f"""
CREATE TRIGGER what_was_planned BEFORE UPDATE OF {NAMED} ON automation_transfer
  FOR EACH ROW WHEN (({", ".join(f"OLD.{n}" for n in FROZEN)})
    IS DISTINCT FROM ({", ".join(f"NEW.{n}" for n in FROZEN)}))
  EXECUTE FUNCTION accounts_refuse_change();
CREATE TRIGGER no_delete BEFORE DELETE ON automation_transfer
  FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON automation_transfer
  FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change();
"""
UNGUARD = """
DROP TRIGGER what_was_planned ON automation_transfer;
DROP TRIGGER no_delete ON automation_transfer;
DROP TRIGGER no_truncate ON automation_transfer;
"""


class Migration(migrations.Migration):
    # Installations that ran these have what this makes.
    replaces = [
        ("automation", "0005_resolutions"),
    ]
    dependencies = [
        ("automation", "0001_tables"),
        ("accounts", "0002_what_stays"),
    ]

    operations = [
        append_only("automation_resolution"),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
