"""Queries that are always the same: turned into SQL once, then only given values.

Django works out the SQL of a query each time it runs. For the reads that every run
makes that takes several times as long as the database needs for the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet

EARLY = datetime(1, 1, 1, tzinfo=UTC)  # before anything that a query could name


class Compiled:
    """A query of ids and moments that answers for any others."""

    def __init__(self, build: Callable[..., QuerySet]) -> None:
        self.build = build
        self.shaped = cache(self.shape)

    def __call__(self, *values: UUID | datetime) -> Iterator[Any]:
        """Yield what the query finds for `values`, as the query itself would."""
        rows, compiler, sql, params = self.shaped(tuple(map(type, values)))
        given = [values[p.place] if type(p) is Place else p for p in params]
        mine = copy(compiler)
        mine.connection = connections[compiler.using]  # that of this thread
        mine.as_sql = lambda *args, **more: (sql, given)
        query = SimpleNamespace(get_compiler=lambda using: mine)
        return iter(rows(SimpleNamespace(db=compiler.using, query=query, **NOTHING)))

    def shape(self, kinds: Sequence[type]) -> tuple[type, Any, str, list[Any]]:
        """Return how rows are made of answers, the SQL, and where values go in it."""
        marks = [MARKS[kind](place) for place, kind in enumerate(kinds)]
        found = self.build(*marks)
        compiler = found.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, params = compiler.as_sql()
        places = {mark: Place(number) for number, mark in enumerate(marks)}
        return (
            found._iterable_class,
            compiler,
            sql,
            [places.get(p, p) if type(p) in MARKS else p for p in params],
        )


class Place:
    """Stands in a statement for one of the values that it is given."""

    def __init__(self, place: int) -> None:
        self.place = place


NOTHING = {"_known_related_objects": {}, "_fields": None}
MARKS: dict[type, Callable[[int], Any]] = {
    UUID: lambda place: UUID(int=place),
    datetime: lambda place: EARLY + timedelta(microseconds=place),
}
