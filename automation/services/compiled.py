"""Statements that are always the same: turned into SQL once, then only given values.

Django works out the SQL of a statement each time it runs. For those that every run
makes that takes several times as long as the database needs for the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from itertools import count
from types import NoneType
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Field, Model, QuerySet
from psycopg.sql import Literal

from accounts.services import grouped

from .columns import Write, quoted, reader, writer
from .making import Maker
from .prepared import MARK, execute

Value = UUID | datetime | None
Kind = type | tuple[type, ...]
EARLY = datetime(1, 1, 1, tzinfo=UTC)  # before anything that a query could name


class Compiled:
    """A query of ids and moments, of tuples of them and of None, that answers for any.

    It is worked out once for each kind of value at each place, and length of a tuple.
    """

    def __init__(self, build: Callable[..., QuerySet]) -> None:
        self.build = build
        self.shaped = cache(self.shape)

    def __call__(self, *values: Value | tuple[Value, ...]) -> Iterator[Any]:
        """Iterate over what the query finds for `values`, as the query itself would."""
        maker, sql, given = self.statement(*values)
        answer = execute(sql, given)
        return iter(maker(answer.fetchall(), answer.db))

    def statement(
        self, *values: Value | tuple[Value, ...]
    ) -> tuple[Maker, str, list[Any]]:
        """Return what makes models of answers, the SQL, and what it is given."""
        maker, sql, params = self.shaped(tuple(map(kind, values)))
        flat = [each for value in values for each in several(value)]
        return maker, sql, [flat[each.place] for each in params]

    def shape(self, kinds: Sequence[Kind]) -> tuple[Maker, str, list[Place]]:
        """Return what makes models of answers, the SQL, and where values go in it."""
        places = count()
        marks = [mark(each, places) for each in kinds]
        found = self.build(*marks)
        compiler = found.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, params = compiler.as_sql()
        flat = [each for value in marks for each in several(value)]
        known = {each: Place(number) for number, each in enumerate(flat)}
        given = [known.get(p, p) if type(p) in MARKS else p for p in params]
        return Maker(found, compiler), *spelled_out(sql, given)


def spelled_out(sql: str, params: Sequence[Any]) -> tuple[str, list[Place]]:
    """Return a statement with all that is always the same in it, and what is left out.

    An index of some rows alone serves what certainly asks for none but those. Whether it
    does, PostgreSQL tells by values that it reads in the statement: of those beside it a
    plan that is kept knows nothing.
    """
    rest, left = iter(params), list[Place]()

    def put(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%%"
        value = next(rest)
        if type(value) is Place:
            left.append(value)
            return "%s"
        plain = str(value) if isinstance(value, str) else value  # or a name of an Enum
        return Literal(plain).as_string().replace("%", "%%")

    return MARK.sub(put, sql), left


class Place:
    """Stands in a statement for one of the values that it is given."""

    def __init__(self, place: int) -> None:
        self.place = place


MARKS: dict[type, Callable[[int], Value]] = {
    UUID: lambda place: UUID(int=place),
    datetime: lambda place: EARLY + timedelta(microseconds=place),
    NoneType: lambda place: None,  # a query of its own: it asks for NULL
}


def padded(values: Iterable[UUID]) -> tuple[UUID, ...]:
    """Return `values` with the last repeated, so that there are few lengths in all."""
    known = tuple(values)
    size = 1 << (len(known) - 1).bit_length() if known else 0
    return known + known[-1:] * (size - len(known))


def kind(value: Value | tuple[Value, ...]) -> Kind:
    """Return what tells queries apart, of a value or of each in a tuple."""
    return tuple(map(type, value)) if type(value) is tuple else type(value)


def mark(told: Kind, places: Iterator[int]) -> Value | tuple[Value, ...]:
    """Return what stands for a value of this kind while the SQL is worked out."""
    if isinstance(told, tuple):
        return tuple(MARKS[each](next(places)) for each in told)
    return MARKS[told](next(places))


def several(value: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    return value if type(value) is tuple else (value,)


Change = tuple[Model, Mapping[str, Any]]  # a row, and what is to be written to it
Column = tuple[str, Field, Write]


class Exchange:
    """An UPDATE of rows, each of which is changed only where it is as it was known."""

    def __init__(self, model: type[Model], *same: str) -> None:
        self.model, self.same = model, same
        self.shaped = cache(self.shape)

    def __call__(self, row: Model, fields: Mapping[str, Any]) -> bool:
        """Write `fields`; False where somebody was faster."""
        return execute(*self.statement([(row, fields)])).rowcount == 1

    def all_of(self, changes: Sequence[Change]) -> set[Any]:
        """Write all `changes`, and return the keys of the rows where nobody was faster.

        An UPDATE takes rows in any order: several are locked in that of their keys first.
        """
        written: set[Any] = set()
        for alike in grouped(changes, self.kind):
            sql, given = self.statement(alike)
            whole = f"{sql} RETURNING t.{self.key}"
            if len(alike) > 1:
                whole = (
                    f"WITH held AS ({self.in_order}) {sql} "
                    f"AND (SELECT count(*) FROM held) > 0 RETURNING t.{self.key}"
                )
                given = [[row.pk for row, _ in alike], *given]
            answer = execute(whole, given, joined=len(alike))
            written |= {pk for (pk,) in answer.fetchall()}
        return written

    @cached_property
    def in_order(self) -> str:
        """Return the statement that locks rows in the order of their keys."""
        table = connection.ops.quote_name(self.model._meta.db_table)
        return (
            f"SELECT {self.key} FROM {table} WHERE {self.key} = ANY(%s) "
            f"ORDER BY {self.key} FOR NO KEY UPDATE"
        )

    def finding(
        self,
        row: Model,
        fields: Mapping[str, Any],
        query: Compiled,
        *values: Value | tuple[Value, ...],
    ) -> list[Model] | None:
        """Write `fields`, and return in any order the models that `query` finds.

        It finds them as they were before. Returns None where somebody was faster.
        """
        sql, given = self.statement([(row, fields)])
        maker, wanted, asked = query.statement(*values)
        whole = (
            f"WITH known AS ({sql} RETURNING 1) "
            f"SELECT found.* FROM known LEFT JOIN ({wanted}) AS found ON true"
        )
        answer = execute(whole, [*given, *asked])
        found = maker(rows := answer.fetchall(), answer.db)
        return [model for model in found if model is not None] if rows else None

    @cached_property
    def key(self) -> str:
        """Return the name of the column that tells rows apart, as SQL holds it."""
        return quoted(self.model._meta.pk)

    def kind(self, change: Change) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what a change shares with those that the same statement makes."""
        row, fields = change
        blank = tuple(name for name in self.same if getattr(row, name) is None)
        return tuple(fields), blank

    def statement(self, changes: Sequence[Change]) -> tuple[str, list[object]]:
        """Return the SQL that writes changes which are alike, and its values.

        In it the table is called `t`, and more conditions may follow.
        """
        sql, new, old = self.shaped(*self.kind(changes[0]), len(changes))
        given: list[object] = []
        for row, fields in changes:
            given += [write(fields[name]) for name, _, write in new]
            given += [write(getattr(row, name)) for name, _, write in old]
        return sql, given

    def shape(
        self, names: Sequence[str], blank: Sequence[str], count: int
    ) -> tuple[str, list[Column], list[Column]]:
        """Return the SQL that writes the columns `names` of so many rows.

        With it the columns that each row has anew, and those that must be as they were.
        """
        same = ["pk", *(name for name in self.same if name not in blank)]
        new, old = (columns_of(self.model, each) for each in (names, same))
        places = [f"v{number}" for number in range(len(new) + len(old))]
        pairs = [
            (quoted(column), place)
            for (_, column, _), place in zip([*new, *old], places, strict=True)
        ]
        row = typed([column for _, column, _ in [*new, *old]])
        wanted = [f"t.{column} = v.{place}" for column, place in pairs[len(new) :]]
        nulls = columns_of(self.model, blank)
        wanted += [f"t.{quoted(column)} IS NULL" for _, column, _ in nulls]
        written = [f"{column} = v.{place}" for column, place in pairs[: len(new)]]
        sql = (
            f"UPDATE {connection.ops.quote_name(self.model._meta.db_table)} AS t "
            f"SET {', '.join(written)} "
            f"FROM (VALUES {', '.join([row] * count)}) AS v ({', '.join(places)}) "
            f"WHERE {' AND '.join(wanted)}"
        )
        return sql, new, old


class Insertion:
    """An INSERT of rows that name themselves, along with the exchange they follow from."""

    def __init__(self, model: type[Model], follows: str) -> None:
        self.model, self.follows = model, model._meta.get_field(follows)
        self.columns = model._meta.local_concrete_fields
        self.shaped = cache(self.shape)

    def __call__(
        self, exchange: Exchange, changes: Sequence[Change], rows: Sequence[Model]
    ) -> set[Any]:
        """Make `changes` that are alike by `exchange`, and insert the rows that follow.

        Returns the keys of what was changed: where somebody was faster, no row of it is
        inserted. Each change is followed by one row at least. Raises IntegrityError.
        """
        sql, values = exchange.statement(changes)
        given = [write(read(new)) for new in rows for read, write in self.ways]
        known = f"WITH known AS ({sql} RETURNING t.{exchange.key}) "
        whole, given = known + self.shaped(len(rows)), [*values, *given]
        answer = execute(whole, given, joined=len(changes))
        written = {pk for (pk,) in answer.fetchall()}
        for new in rows:
            new._state.adding = getattr(new, self.follows.attname) not in written
            new._state.db = DEFAULT_DB_ALIAS
        return written

    @cached_property
    def ways(self) -> list[tuple[Callable[[Model], Any], Write]]:
        """Return of each column what reads it from a row, and what writes that."""
        return [(reader(column), writer(column)) for column in self.columns]

    def shape(self, number: int) -> str:
        """Return the SQL that inserts so many rows: all columns of one, then the next."""
        names = ", ".join(quoted(column) for column in self.columns)
        row = typed(self.columns)
        table, follows = self.model._meta.db_table, quoted(self.follows)
        return (
            f"INSERT INTO {connection.ops.quote_name(table)} ({names}) "
            f"SELECT rows.* FROM (VALUES {', '.join([row] * number)}) AS rows ({names}) "
            f"WHERE rows.{follows} IN (SELECT * FROM known) RETURNING {follows}"
        )


def columns_of(model: type[Model], names: Iterable[str]) -> list[Column]:
    """Return columns of `model`: the name, the field, and what writes a value to it."""
    fields = [
        (n, model._meta.pk if n == "pk" else model._meta.get_field(n)) for n in names
    ]
    return [(name, field, writer(field)) for name, field in fields]


def typed(columns: Iterable[Field]) -> str:
    """Return the places of one row of values, each of its column's type.

    Without a length: a cast cuts off, or rounds, what a column refuses.
    """
    casts = (str(column.db_type(connection)).partition("(")[0] for column in columns)
    return f"({', '.join(f'%s::{cast}' for cast in casts)})"
