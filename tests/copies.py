"""Migrates once for the processes that share the tests; the others take a copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import connection

LOCK = 1_959  # whoever holds it makes a database, or a copy of it


class Copies:
    """One process's part: it makes what is copied, or finds it there."""

    def __init__(self, run: str) -> None:
        self.model = f"migrated_{run}"
        self.turn, self.is_maker = ExitStack(), False

    def before(self) -> None:
        """Wait for one's turn, and let Django copy what is there already."""
        cursor = self.turn.enter_context(alone())
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", [self.model]
        )
        self.is_maker = not cursor.fetchone()[0]
        if not self.is_maker:
            test = connection.settings_dict["TEST"]
            test["TEMPLATE"], test["MIGRATE"] = self.model, False

    def after(self) -> None:
        """Keep a copy of what was made for those who come, and let them come."""
        if self.is_maker:
            own = connection.ops.quote_name(connection.settings_dict["NAME"])
            connection.close()
            with connection._nodb_cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {self.model} TEMPLATE {own}")
        self.turn.close()

    def forget(self) -> None:
        """Drop what was copied; who comes later makes it again."""
        if self.is_maker:
            with alone() as cursor:
                cursor.execute(f"DROP DATABASE {self.model}")


@contextmanager
def alone() -> Iterator:
    """Open a cursor beside the tests' database while nobody else makes one."""
    with connection._nodb_cursor() as cursor:
        # To wait for one's turn is no fault, however long the others need.
        cursor.execute("SET lock_timeout = 0; SET statement_timeout = 0")
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        yield cursor
