"""Statements that PostgreSQL plans once for each connection, however often they come.

To plan what a run asks takes longer than to answer it. Django puts values into the text of a
statement, so that each is a new one; here they go beside it. Only what is asked again and
again, with few values, is asked so: beside a statement there is room for 65,535.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

MOST = 1_000  # values: a statement with more comes seldom, and never twice alike


class Cursor(psycopg.Cursor):
    """Knows what it executed last, which Django tells, also where that was prepared."""

    def _send_query_prepared(self, name: bytes, pgq: Any, **more: Any) -> None:
        self._query = pgq
        super()._send_query_prepared(name, pgq, **more)


@contextmanager
def preparing(mine: BaseDatabaseWrapper, values: int = 0) -> Iterator[None]:
    """Let the cursors of `mine` that are made in the block prepare what they execute.

    Those for more `values` than MOST are as Django makes them.
    """
    mine.close_if_health_check_failed()  # no other connection may come in between
    mine.ensure_connection()
    raw = mine.connection
    usual = raw.cursor_factory
    if values <= MOST:
        raw.cursor_factory = Cursor
    try:
        yield
    finally:
        raw.cursor_factory = usual


@contextmanager
def prepared_cursor(values: int = 0) -> Iterator[CursorWrapper]:
    """Open a cursor for a statement with so many values, which prepares it."""
    with preparing(connection, values):
        cursor = connection.cursor()
    with cursor:
        yield cursor
