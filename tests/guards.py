"""What the guards of the database refuse, done all the same: as retention would do it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def unguarded() -> Iterator[None]:
    """Let guarded rows be changed and removed, in one transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL balsync.retention = 'on'")
        yield
        cursor.execute("SET LOCAL balsync.retention = 'off'")
