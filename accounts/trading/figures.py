"""Exact quantities and prices: no float, no infinity, and no more digits than anybody has."""

from __future__ import annotations

from decimal import Decimal

from providers.money import EXACT, MoneyError

WHOLE, DECIMALS = 38, 40  # digits before and after the point: more than any chain's
LIMIT = Decimal(10) ** WHOLE


class NotAFigure(MoneyError):
    """This is no exact quantity or price."""


class TooManyDigits(MoneyError):
    """This quantity or price has more digits than can be kept exactly."""


def exact(value: object) -> Decimal:
    """Return `value` in plain form; raises NotAFigure and TooManyDigits.

    True, 1.0 and "1" are no figures: only a Decimal or an int is exact.
    """
    if type(value) is int:
        value = EXACT.create_decimal(value) if abs(value) < LIMIT else LIMIT
    if not isinstance(value, Decimal) or not value.is_finite():
        raise NotAFigure(f"{value!r:.60} is no exact quantity or price")
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # what is finite has one
    if len(digits) > EXACT.prec or exponent < -EXACT.prec or value.copy_abs() >= LIMIT:
        raise TooManyDigits(f"{value!s:.60} has too many digits")
    slim = EXACT.normalize(value)
    found = slim.as_tuple().exponent
    assert isinstance(found, int)
    if -found > DECIMALS:
        raise TooManyDigits(f"{value!s:.60} has more than {DECIMALS} decimals")
    return Decimal(f"{slim:f}") if slim else Decimal(0)


def plain(value: Decimal | None) -> str:
    """Return a figure as text, without an exponent; nothing where nobody knows it."""
    return "" if value is None else f"{value:f}"
