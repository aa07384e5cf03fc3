"""Statements that PostgreSQL plans once for each connection, however often they come.

To plan what a run asks takes longer than to answer it. Django puts values into the text of a
statement, so that each is a new one; here they go beside it. Only what is asked again and
again, with few values, is asked so: beside a statement there is room for 65,535.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any
from uuid import UUID

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from psycopg.adapt import Dumper
from psycopg.postgres import types
from psycopg.types.datetime import TimestamptzLoader

MOST = 1_000  # values: a statement with more comes seldom, and never twice alike
FEW = 5  # rows of values that are looked for by their keys, however large a table is
KEPT = 100  # statements, as many as psycopg itself keeps prepared
MARK = re.compile("%%|%s")


class Cursor(psycopg.RawCursor):
    """Knows what it executed last, which Django tells, also where that was prepared.

    It takes statements as PostgreSQL does, with numbered values: see `numbered`.
    """

    anew = False  # whether what is executed next is planned for this once

    def _get_prepared(self, pgq: Any, prepare: bool | None = None) -> tuple[Any, bytes]:
        return super()._get_prepared(pgq, False if self.anew else prepare)

    def _send_query_prepared(self, name: bytes, pgq: Any, **more: Any) -> None:
        self._query = pgq
        super()._send_query_prepared(name, pgq, **more)


class KeysDumper(Dumper):
    """Writes lists of keys; psycopg works out anew each time what a list holds."""

    oid = types["uuid"].array_oid

    def dump(self, obj: list[UUID]) -> bytes:
        """Return the keys in braces."""
        return b"{%b}" % b",".join([b"%032x" % key.int for key in obj])


def execute(sql: str, values: Sequence[Any], *, joined: int = 1) -> CursorWrapper:
    """Return the answer to a statement, to be read before anything else is asked.

    A list among `values` is one of keys. Where more than a few rows of values are
    `joined` to a table, that is planned anew each time: the best way to do it depends on
    how large the table is by now, which a plan that is kept does not notice. To plan it
    takes longer than to do it, so that a few are not worth it.
    """
    mine = connections[DEFAULT_DB_ALIAS]
    if len(values) > MOST:
        cursor = mine.cursor()
        cursor.execute(sql, values)
        return cursor
    statement = numbered(sql)
    cursor = cursor_for(statement, mine)
    cursor.cursor.anew = joined > FEW
    cursor.execute(statement, values)
    return cursor


@lru_cache(maxsize=1_000)
def numbered(sql: str) -> str:
    """Return a statement with `$1`, `$2` … where it has `%s`."""
    numbers = count(1)
    return MARK.sub(lambda m: "%" if m[0] == "%%" else f"${next(numbers)}", sql)


def cursor_for(statement: str, mine: BaseDatabaseWrapper) -> CursorWrapper:
    """Return the cursor that executes nothing but `statement` on the connection of `mine`.

    Such a one works out but once how to read the answers. The connection itself keeps it:
    whatever else did would keep the connection alive.
    """
    mine.close_if_health_check_failed()
    mine.ensure_connection()
    raw = mine.connection
    opened: dict[str, Cursor] = raw.__dict__.setdefault("kept_cursors", {})
    cursor = opened.get(statement)
    if cursor is None:
        if len(opened) >= KEPT:
            opened.clear()
        cursor = opened[statement] = open_cursor(raw)
    return mine._prepare_cursor(cursor)


def open_cursor(raw: psycopg.Connection) -> Cursor:
    """Open a cursor that reads moments as psycopg does, much faster than Django."""
    cursor = Cursor(raw)
    cursor.adapters.register_dumper(list, KeysDumper)
    cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
    return cursor
