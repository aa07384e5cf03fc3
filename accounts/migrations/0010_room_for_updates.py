"""Leave room in the pages of rows that every sync writes: then no index is touched."""

from __future__ import annotations

from django.db import migrations

FILL = {"accounts_balance": 50, "accounts_connection": 60}  # percent


def fill(table: str, percent: int) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"ALTER TABLE {table} SET (fillfactor = {percent})",
        f"ALTER TABLE {table} RESET (fillfactor)",
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_fewer_indexes")]

    operations = [fill(table, percent) for table, percent in FILL.items()]
