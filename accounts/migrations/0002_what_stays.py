"""What is written once, and room beside what every sync writes."""

from __future__ import annotations

from django.db import migrations

from accounts.migrations._guards import append_only

GUARD = """
CREATE FUNCTION accounts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Retention and erasure pass with: SET LOCAL balsync.retention = 'on'
  IF current_setting('balsync.retention', true) = 'on' THEN
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
  END IF;
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;
"""
# Room in the pages of rows that every sync writes: then no index is touched.
FILL = {"accounts_balance": 50, "accounts_connection": 60}  # percent


def fill(table: str, percent: int) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"ALTER TABLE {table} SET (fillfactor = {percent})",
        f"ALTER TABLE {table} RESET (fillfactor)",
    )


class Migration(migrations.Migration):
    # Installations that ran these have what this makes.
    replaces = [
        ("accounts", "0002_guards"),
        ("accounts", "0010_room_for_updates"),
    ]
    dependencies = [("accounts", "0001_tables")]

    operations = [
        migrations.RunSQL(GUARD, "DROP FUNCTION accounts_refuse_change();"),
        append_only("accounts_correction"),
        append_only("accounts_trade"),
        *(fill(table, percent) for table, percent in FILL.items()),
    ]
