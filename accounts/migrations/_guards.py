"""Triggers that refuse: what is written once stays as it is."""

from __future__ import annotations

from django.db import migrations

REFUSE = "accounts_refuse_change"  # passes retention and erasure


def append_only(table: str, refuse: str = REFUSE) -> migrations.RunSQL:
    """Return what lets rows of `table` be added, and nothing else."""
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}
          FOR EACH ROW EXECUTE FUNCTION {refuse}();
        CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {table}
          FOR EACH STATEMENT EXECUTE FUNCTION {refuse}();
        """,
        f"DROP TRIGGER append_only ON {table}; DROP TRIGGER no_truncate ON {table};",
    )
