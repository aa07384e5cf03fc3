"""Statements that PostgreSQL plans once for each connection, however often they come.

To plan what a run asks takes longer than to answer it. Django puts values into the text of a
statement, so that each is a new one; here they go beside it. Only what is asked again and
again, with few values, is asked so: beside a statement there is room for 65,535.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from psycopg.types.datetime import TimestamptzLoader

MOST = 1_000  # values: a statement with more comes seldom, and never twice alike
MARK = re.compile(r"%%|%s|%\((?P<name>\w+)\)s")
Values = Sequence[Any] | Mapping[str, Any]


class Cursor(psycopg.RawCursor):
    """Knows what it executed last, which Django tells, also where that was prepared.

    It takes statements as PostgreSQL does, with numbered values: see `numbered`.
    """

    def _send_query_prepared(self, name: bytes, pgq: Any, **more: Any) -> None:
        self._query = pgq
        super()._send_query_prepared(name, pgq, **more)


OPENED: WeakKeyDictionary[psycopg.Connection, Cursor] = WeakKeyDictionary()


def execute(sql: str, values: Values) -> CursorWrapper:
    """Return the answer to a statement, to be read before anything else is asked.

    Every connection has one cursor for this: to make one takes as long as to ask.
    """
    mine = connections[DEFAULT_DB_ALIAS]
    if len(values) > MOST:
        cursor = mine.cursor()
        cursor.execute(sql, values)
        return cursor
    text, names = numbered(sql)
    cursor = prepared_cursor(mine)
    cursor.execute(text, [values[name] for name in names] if names else values)
    return cursor


@lru_cache(maxsize=1_000)
def numbered(sql: str) -> tuple[str, list[Any]]:
    """Return a statement with its values numbered, and their names where they have any."""
    names: list[str] = []
    numbers = count(1)

    def number(mark: re.Match[str]) -> str:
        if mark[0] == "%%":
            return "%"
        if mark["name"] is None:
            return f"${next(numbers)}"
        if mark["name"] not in names:
            names.append(mark["name"])
        return f"${names.index(mark['name']) + 1}"

    return MARK.sub(number, sql), names


def prepared_cursor(mine: BaseDatabaseWrapper) -> CursorWrapper:
    """Return the cursor that prepares what it executes on the connection of `mine`."""
    mine.close_if_health_check_failed()
    mine.ensure_connection()
    raw = mine.connection
    opened = OPENED.get(raw)
    if opened is None:
        opened = OPENED[raw] = open_cursor(raw)
    return mine._prepare_cursor(opened)


def open_cursor(raw: psycopg.Connection) -> Cursor:
    """Open a cursor that reads moments as psycopg does, much faster than Django."""
    cursor = Cursor(raw)
    cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
    return cursor
