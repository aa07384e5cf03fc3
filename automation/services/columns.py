"""What columns hold of values in the database, worked out before there are values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import (
    BooleanField,
    CharField,
    DateTimeField,
    Field,
    JSONField,
    Model,
    TextField,
    UUIDField,
)
from psycopg.types.json import Jsonb

Write = Callable[[Any], Any]
# What columns hold as it is given.
PLAIN: dict[type[Field], type] = {
    BooleanField: bool,
    CharField: str,
    DateTimeField: datetime,
    TextField: str,
    UUIDField: UUID,
}


def quoted(column: Field) -> str:
    return connection.ops.quote_name(column.column)


def writer(column: Field) -> Write:
    """Return what makes of a value what `column` holds of it: as Django does, but sooner.

    Of a row a column holds its key.
    """
    target = getattr(column, "target_field", column)
    plain, made = PLAIN.get(type(target), ()), makers(target)

    def write(value: Any) -> Any:
        if value is None or isinstance(value, plain):
            return value
        if make := made.get(type(value)):
            return make(value)
        if isinstance(value, Model):
            return write(value.prepare_database_save(column))
        return column.get_db_prep_save(value, connection)

    return write


def makers(column: Field) -> dict[type, Write]:
    """Return what makes of values of a type what `column` holds of them."""
    if type(column) is JSONField and column.encoder is None:
        return {list: Jsonb, dict: Jsonb}
    # Django's own go by the names of their types; others may have a word of their own.
    number = connection.ops.integerfield_type_map.get(type(column).__name__)
    return {int: number} if number else {}


def reader(column: Field) -> Callable[[Model], Any]:
    """Return what reads the value of `column` from a row that is about to be inserted.

    Few columns have a word in that.
    """
    silent = type(column).pre_save is Field.pre_save
    if type(column) is DateTimeField:
        silent = not (column.auto_now or column.auto_now_add)
    return attrgetter(column.attname) if silent else partial(column.pre_save, add=True)
