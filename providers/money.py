"""Amounts are integers of an asset's smallest unit; nothing here ever rounds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import (
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
)
from functools import lru_cache

# Python's default of 28 digits loses wei and uint256; NUMERIC(78,0) holds 78.
EXACT = Context(prec=160, traps=[Inexact, InvalidOperation, DivisionByZero])
PLAIN_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
PLAIN_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)
ASSET = re.compile(
    r"(?P<code>[A-Za-z0-9][A-Za-z0-9._-]{0,19})/(?P<decimals>[0-9]{1,2})", re.ASCII
)
LARGEST = 10**78 - 1


class MoneyError(ValueError):
    """This is no exact amount of money."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class TooPrecise(MoneyError):
    """It has more decimals than its asset."""


def whole(value: object) -> int:
    """Return `value` if it is an amount of minor units; True, 1.0 and "1" are not."""
    if type(value) is not int:
        raise MoneyError(f"{value!r} is not a whole number of minor units")
    if abs(value) > LARGEST:
        raise MoneyError("No amount is that large")
    return value


def parse_minor(text: object) -> int:
    """Return the minor units written in `text`, in plain ASCII digits only."""
    if not isinstance(text, str) or not PLAIN_INTEGER.fullmatch(text):
        raise MoneyError(f"{text!r:.60} is not a plain whole number")
    if len(text) > 79:
        raise MoneyError("No amount is that large")
    return whole(int(text))


@dataclass(frozen=True, slots=True)
class Asset:
    """A unit of value and its decimals, written `GBP/2` or `USDC/6`."""

    code: str
    decimals: int

    @classmethod
    def parse(cls, text: str) -> Asset:
        """Return the asset written in `text`; raises MoneyError."""
        if not isinstance(text, str):
            raise _no_asset(text)
        return _asset(text)

    def minor(self, value: str | int | Decimal) -> int:
        """Return `value` whole units as minor units; raises MoneyError unless exact."""
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise MoneyError(f"{value!r:.60} is not an exact amount")
        if isinstance(value, Decimal) and not value.is_finite():
            raise MoneyError(f"{value!s:.60} is not an amount")
        if isinstance(value, str):
            _check_decimal(value)
        try:
            scaled = EXACT.scaleb(EXACT.create_decimal(value), self.decimals)
            return whole(int(EXACT.to_integral_exact(scaled)))
        except Inexact as error:
            raise TooPrecise(f"{value!r} is not an exact amount of {self}") from error
        except ArithmeticError as error:
            raise MoneyError(f"{value!r} is not an exact amount of {self}") from error

    def major(self, minor: int) -> str:
        """Return `minor` units in whole units, every decimal written: `1234.56`."""
        sign, digits = ("-" if whole(minor) < 0 else ""), str(abs(minor))
        if not self.decimals:
            return sign + digits
        digits = digits.zfill(self.decimals + 1)
        return f"{sign}{digits[: -self.decimals]}.{digits[-self.decimals :]}"

    def __str__(self) -> str:
        return f"{self.code}/{self.decimals}"


@lru_cache(maxsize=1_000)
def _asset(text: str) -> Asset:
    found = ASSET.fullmatch(text)
    if found is None:
        raise _no_asset(text)
    return Asset(found["code"], int(found["decimals"]))


def _no_asset(text: object) -> MoneyError:
    return MoneyError(f"{text!r:.60} is not an asset such as GBP/2")


def _check_decimal(text: str) -> None:
    if not PLAIN_DECIMAL.fullmatch(text):
        raise MoneyError(f"{text!r:.60} is not a plain decimal number")
    if len(text) > EXACT.prec:
        raise MoneyError("No amount has that many digits")


FEW = 2  # decimals that are always shown, where there are as many
SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$", "NGN": "₦"}


def pretty(minor: int, asset: Asset) -> str:
    """Return an amount for people: `£1,234.56`, or `1,234.5 ABC` without a symbol.

    Of what is divided finely, zeros at the end are left out but for two decimals.
    """
    units, rest = divmod(abs(whole(minor)), 10**asset.decimals)
    sign = "-" if minor < 0 else ""
    grouped = f"{units:,}" + (f".{_decimals(rest, asset)}" if asset.decimals else "")
    symbol = SYMBOLS.get(asset.code)
    return f"{sign}{symbol}{grouped}" if symbol else f"{sign}{grouped} {asset.code}"


def _decimals(rest: int, asset: Asset) -> str:
    digits = f"{rest:0{asset.decimals}}"
    return digits[:FEW] + digits[FEW:].rstrip("0")
