"""Empties the database after a test that committed, in one short transaction."""

from __future__ import annotations

from django.db import connection, transaction

KEPT = "kept"  # the schema where what the migrations wrote is kept


class Emptying:
    """Knows what was there after the migrations, and brings that back when called.

    Django's own flush forgets the rows of migrations and makes permissions anew.
    """

    def __init__(self) -> None:
        names = connection.introspection.django_table_names(only_existing=True)
        self.tables = [connection.ops.quote_name(name) for name in sorted(names)]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {KEPT}")
            self.written = self._filled(cursor)
            for table in self.written:
                cursor.execute(f"CREATE TABLE {KEPT}.{table} AS TABLE {table}")

    def __call__(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            # No trigger fires: neither the guards of append-only tables nor the audit.
            cursor.execute("SET LOCAL session_replication_role = 'replica'")
            if filled := set(self._filled(cursor)) - set(self.written):
                cursor.execute(f"TRUNCATE {', '.join(sorted(filled))} CASCADE")
            for table in self.written:
                cursor.execute(f"DELETE FROM {table}")
                cursor.execute(f"INSERT INTO {table} TABLE {KEPT}.{table}")

    def _filled(self, cursor) -> list[str]:
        """Return the tables that hold a row."""
        asked = (f"SELECT '{t}' WHERE EXISTS (TABLE {t})" for t in self.tables)
        cursor.execute(" UNION ALL ".join(asked))
        return [table for (table,) in cursor.fetchall()]
