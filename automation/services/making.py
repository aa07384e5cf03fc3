"""Rows of an answer, made into what the query that asked would make of them.

Django works out for each answer anew which column goes where, and makes a model by assigning
its columns one by one. Here the first is known once for a query, whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet
from django.db.models.base import ModelState
from django.db.models.query import FlatValuesListIterable, ModelIterable
from django.db.models.sql.compiler import SQLCompiler

Row = Sequence[Any]
Set = Callable[[Model, Model | None], None]
Read = Callable[[Any, Any, BaseDatabaseWrapper], Any]


class Maker:
    """Makes models, tuples or values of rows, as the query does whose `compiler` it is."""

    def __init__(self, query: QuerySet, compiler: SQLCompiler) -> None:
        self.make = made_of(query, compiler)
        columns = [column for column, *_ in compiler.select]
        self.read: list[tuple[int, Read, Any]] = [
            (place, read, column)
            for place, (reads, column) in compiler.get_converters(columns).items()
            for read in reads
        ]

    def __call__(self, rows: Iterable[Row], mine: BaseDatabaseWrapper) -> list[Any]:
        """Return what is made of all `rows` that the database of `mine` answered."""
        return [self.make(self.values(row, mine)) for row in rows]

    def values(self, row: Row, mine: BaseDatabaseWrapper) -> Row:
        """Return a row as its columns read it: money whole, JSON as what it says.

        Nothing is nothing to each of them.
        """
        values = list(row)
        for place, read, column in self.read:
            if values[place] is not None:
                values[place] = read(values[place], column, mine)
        return values


def made_of(query: QuerySet, compiler: SQLCompiler) -> Callable[[Row], Any]:
    kind = query._iterable_class
    if kind is ModelIterable:
        return Part(compiler, compiler.klass_info, compiler.annotation_col_map)
    return first if kind is FlatValuesListIterable else tuple


def first(row: Row) -> Any:
    return row[0]


@dataclass(frozen=True, slots=True)
class Joined:
    """A model that is read along with another, and how each learns of the other."""

    part: Part
    tell: Set
    tell_back: Set


class Part:
    """Makes one model of its part of a row, and those that are read along with it."""

    def __init__(
        self,
        compiler: SQLCompiler,
        told: Mapping[str, Any],
        more: Mapping[str, int] | None = None,
    ) -> None:
        self.model: type[Model] = told["model"]
        places = told["select_fields"]
        self.place = slice(places[0], places[-1] + 1)
        columns = [column.target for column, *_ in compiler.select[self.place]]
        self.names = [column.attname for column in columns]
        self.key = places[0] + columns.index(self.model._meta.pk)
        self.more = list((more or {}).items())
        self.joined = [
            Joined(Part(compiler, each), each["local_setter"], each["remote_setter"])
            for each in told.get("related_klass_infos", ())
        ]

    def __call__(self, row: Row) -> Model | None:
        """Return the model, or nothing where an outer join has found none."""
        if row[self.key] is None:
            return None
        made = self.model.__new__(self.model)
        made._state = state = ModelState()
        state.adding, state.db = False, DEFAULT_DB_ALIAS
        known = made.__dict__
        known.update(zip(self.names, row[self.place], strict=True))
        for name, place in self.more:
            known[name] = row[place]
        for join in self.joined:
            other = join.part(row)
            join.tell(made, other)
            if other is not None:
                join.tell_back(other, made)
        return made
