"""Statements that are always the same: turned into SQL once, then only given values.

Django works out the SQL of a statement each time it runs. For those that every run
makes that takes several times as long as the database needs for the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from types import NoneType
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import (
    CharField,
    DateTimeField,
    Expression,
    Field,
    Model,
    QuerySet,
    TextField,
    UUIDField,
)
from django.db.models.sql import UpdateQuery

from .making import Maker
from .prepared import execute

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
        return maker, sql, [flat[p.place] if type(p) is Place else p for p in params]

    def shape(self, kinds: Sequence[Kind]) -> tuple[Maker, str, list[Any]]:
        """Return what makes models of answers, the SQL, and where values go in it."""
        places = count()
        marks = [mark(each, places) for each in kinds]
        found = self.build(*marks)
        compiler = found.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, params = compiler.as_sql()
        flat = [each for value in marks for each in several(value)]
        known = {each: Place(number) for number, each in enumerate(flat)}
        given = [known.get(p, p) if type(p) in MARKS else p for p in params]
        return Maker(found, compiler), sql, given


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


class Exchange:
    """An UPDATE of one row that is made only where the row is as it was known."""

    def __init__(self, model: type[Model], *same: str) -> None:
        self.model, self.same = model, same
        self.shaped = cache(self.shape)

    def __call__(self, row: Model, fields: Mapping[str, Any]) -> bool:
        """Write `fields`; False where somebody was faster."""
        return execute(*self.statement(row, fields)).rowcount == 1

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
        sql, given = self.statement(row, fields)
        maker, wanted, asked = query.statement(*values)
        whole = (
            f"WITH known AS ({sql} RETURNING 1) "
            f"SELECT found.* FROM known LEFT JOIN ({wanted}) AS found ON true"
        )
        answer = execute(whole, [*given, *asked])
        found = maker(rows := answer.fetchall(), answer.db)
        return [model for model in found if model is not None] if rows else None

    def statement(
        self, row: Model, fields: Mapping[str, Any]
    ) -> tuple[str, list[object]]:
        """Return the SQL that writes `fields` to `row`, and its values."""
        blank = tuple(name for name in self.same if getattr(row, name) is None)
        sql, wanted = self.shaped(tuple(fields), blank)
        mine = connections[DEFAULT_DB_ALIAS]
        return sql, [given.value(row, fields, mine) for given in wanted]

    def shape(
        self, names: Sequence[str], blank: Sequence[str]
    ) -> tuple[str, Sequence[Given]]:
        """Return the SQL that writes the columns `names`, and where values go in it."""
        rows = self.model._default_manager.all()
        for name in ("pk", *self.same):
            known = None if name in blank else Given(self.model, name, new=False)
            rows = rows.filter(**{name: known})
        update = rows.query.chain(UpdateQuery)
        update.add_update_values({n: Given(self.model, n, new=True) for n in names})
        return update.get_compiler(DEFAULT_DB_ALIAS).as_sql()


class Insertion:
    """An INSERT of rows that name themselves, along with the exchange they follow from."""

    def __init__(self, model: type[Model]) -> None:
        self.model = model
        self.columns = [(c, plain(c)) for c in model._meta.local_concrete_fields]
        self.shaped = cache(self.shape)

    def __call__(
        self,
        exchange: Exchange,
        row: Model,
        fields: Mapping[str, Any],
        rows: Sequence[Model],
    ) -> bool:
        """Write `fields` to `row` by `exchange`, and with that insert all `rows`.

        Returns False, and inserts nothing, where somebody was faster. Raises
        IntegrityError.
        """
        mine = connections[DEFAULT_DB_ALIAS]
        sql, values = exchange.statement(row, fields)
        given = [
            held(value, column, as_given, mine)
            for new in rows
            for column, as_given in self.columns
            for value in (column.pre_save(new, add=True),)
        ]
        whole = f"WITH known AS ({sql} RETURNING 1) {self.shaped(len(rows))}"
        written = execute(whole, [*values, *given]).rowcount > 0
        for new in rows:
            new._state.adding, new._state.db = not written, mine.alias
        return written

    def shape(self, number: int) -> str:
        """Return the SQL that inserts so many rows: all columns of one, then the next."""
        mine = connections[DEFAULT_DB_ALIAS]
        quote = mine.ops.quote_name
        names = ", ".join(quote(column.column) for column, _ in self.columns)
        # Without a length: a cast cuts off, or rounds, what a column refuses.
        casts = (str(c.db_type(mine)).partition("(")[0] for c, _ in self.columns)
        row = f"({', '.join(f'%s::{cast}' for cast in casts)})"
        return (
            f"INSERT INTO {quote(self.model._meta.db_table)} ({names}) "
            f"SELECT rows.* FROM known, (VALUES {', '.join([row] * number)}) AS rows"
        )


class Given(Expression):
    """Stands in a statement for a column of a row: what it was, or what it becomes."""

    def __init__(self, model: type[Model], name: str, *, new: bool) -> None:
        self.column = model._meta.pk if name == "pk" else model._meta.get_field(name)
        super().__init__(output_field=self.column)
        self.name, self.new, self.as_given = name, new, plain(self.column)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Given]]:
        return "%s", [self]

    def value(self, row: Model, fields: Mapping[str, Any], mine: Any) -> object:
        """Return the value of this place as the column holds it in database `mine`."""
        value = fields[self.name] if self.new else getattr(row, self.name)
        if isinstance(value, Model):
            value = value.prepare_database_save(self.column)
        return held(value, self.column, self.as_given, mine)


# What columns hold as it is given. Of all else Django says how they hold it.
PLAIN = {CharField: str, TextField: str, UUIDField: UUID, DateTimeField: datetime}


def plain(column: Field) -> type | None:
    """Return the type of values that `column` holds as they are given."""
    return PLAIN.get(type(getattr(column, "target_field", column)))


def held(value: object, column: Field, as_given: type | None, mine: Any) -> object:
    """Return `value` as `column` holds it in database `mine`."""
    if value is None or type(value) is as_given:
        return value
    return column.get_db_prep_save(value, mine)
