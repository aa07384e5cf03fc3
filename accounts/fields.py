"""Columns that Django does not have: exact amounts, sealed secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.functional import cached_property

from accounts.trading.figures import DECIMALS, LIMIT, WHOLE, exact
from providers.money import EXACT, LARGEST, MoneyError, whole

from . import sealing


class MinorUnits(models.DecimalField):
    """An integer of an asset's smallest unit, wide enough for a uint256."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"max_digits": 78, "decimal_places": 0})

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs

    @cached_property
    def validators(self):
        # Django's own reads a Decimal's digits; `to_python` has already refused the rest.
        return [*self.default_validators, *self._validators]

    def from_db_value(self, value, expression, connection):
        return None if value is None else int(value)

    def to_python(self, value):
        if value is None or type(value) is int:
            return value
        decimal = super().to_python(value)
        if not decimal.is_finite() or decimal != decimal.to_integral_value():
            raise ValidationError(f"{value!r} is not a whole number of minor units")
        return int(decimal)

    def get_db_prep_save(self, value, connection):
        # Django would round a float or a fraction; an amount is exact or refused. As an
        # integer its type would depend on its size, and so would that of a statement
        # which it is given beside.
        if value is None or hasattr(value, "resolve_expression"):
            return super().get_db_prep_save(value, connection)
        try:
            return Decimal(whole(value))
        except MoneyError as error:
            raise ValidationError(str(error)) from error


class ExactSum(models.Field):
    """A whole number of any length, which only the database itself adds up."""

    def db_type(self, connection) -> str:
        return "numeric"

    def from_db_value(self, value, expression, connection):
        return None if value is None else int(value)


class PlainDecimal(models.DecimalField):
    """An exact number, read back without the zeros that fill its column."""

    def from_db_value(self, value, expression, connection):
        return None if value is None else Decimal(f"{value.normalize(EXACT):f}")


class Figure(models.DecimalField):
    """An exact quantity or price of any scale: refused where it has too many digits."""

    def __init__(self, **kwargs: Any) -> None:
        digits = {"max_digits": WHOLE + DECIMALS, "decimal_places": DECIMALS}
        super().__init__(**kwargs | digits)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs

    def db_type(self, connection) -> str:
        return "numeric"  # without a scale nothing is rounded, and nothing is filled up

    def from_db_value(self, value, expression, connection):
        return None if value is None else exact(value)

    def get_db_prep_save(self, value, connection):
        # Django would round a float; a figure is exact or refused.
        if value is not None and not hasattr(value, "resolve_expression"):
            try:
                value = exact(value)
            except MoneyError as error:
                raise ValidationError(str(error)) from error
        return super().get_db_prep_save(value, connection)


def is_figure(field: str, *, least: Decimal | None = None) -> models.Q:
    """Return the check that keeps NaN, infinities and absurd lengths out."""
    bounds = (-LIMIT if least is None else least, LIMIT)
    return models.Q(**{f"{field}__range": bounds}) | models.Q(
        **{f"{field}__isnull": True}
    )


def is_money(field: str, *, least: int = -LARGEST) -> models.Q:
    """Return the check that keeps NaN out: it is larger than any number."""
    return models.Q(**{f"{field}__range": (least, LARGEST)}) | models.Q(
        **{f"{field}__isnull": True}
    )


class SealedJSONField(models.BinaryField):
    """A dict kept as AES-GCM ciphertext bound to its table, row and field.

    `bound_by` names what tells the row, where its key is not known before it is written.
    """

    def __init__(self, *args: Any, bound_by: str = "pk", **kwargs: Any) -> None:
        self.bound_by = bound_by
        super().__init__(*args, **kwargs)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        if self.bound_by != "pk":
            kwargs["bound_by"] = self.bound_by
        return name, path, args, kwargs

    def get_internal_type(self) -> str:
        return "BinaryField"

    def pre_save(self, instance, add):
        value = getattr(instance, self.attname)
        if isinstance(value, sealing.Sealed):
            return value.blob
        return self.seal(instance, value or {})

    def contribute_to_class(self, cls, name, **kwargs):
        super().contribute_to_class(cls, name, **kwargs)
        setattr(cls, f"open_{name}", lambda row: self.open(row))
        setattr(cls, f"seal_{name}", lambda row, clear: self.seal(row, clear))

    def from_db_value(self, value, expression, connection):
        return None if value is None else sealing.Sealed(bytes(value))

    def open(self, instance) -> dict[str, str]:
        """Return the secrets in clear; raises sealing.CannotOpen."""
        value = getattr(instance, self.attname)
        if not isinstance(value, sealing.Sealed):
            return dict(value or {})
        return json.loads(sealing.unseal(value.blob, self._bound_to(instance)))

    def seal(self, instance, clear: Mapping[str, str]) -> bytes:
        """Return `clear` as ciphertext that only this row's field can open."""
        return sealing.seal(json.dumps(dict(clear)).encode(), self._bound_to(instance))

    def _bound_to(self, instance) -> bytes:
        row = getattr(instance, self.bound_by)
        return f"{instance._meta.db_table}:{row}:{self.name}".encode()
