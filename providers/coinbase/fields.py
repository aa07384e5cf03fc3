"""Reads single fields of Coinbase's answers; raises ValueError, TypeError or LookupError."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from providers.fields import flag, moment, rows, text
from providers.money import EXACT, PLAIN_DECIMAL

__all__ = [
    "above_zero",
    "flag",
    "following",
    "moment",
    "number",
    "perhaps",
    "rows",
    "text",
]


def number(value: Any) -> Decimal:
    """Return an exact number, written as a decimal or with its currency beside it."""
    written = value["value"] if isinstance(value, Mapping) else value
    if not isinstance(written, str) or not PLAIN_DECIMAL.fullmatch(written):
        raise ValueError(f"{written!r:.60} is not a plain decimal number")
    if len(written) > EXACT.prec:
        raise ValueError("No quantity has that many digits")
    return Decimal(written)


def perhaps(value: Any) -> Decimal | None:
    """Return a number; None where Coinbase says that there is none."""
    return None if value is None or value == "" else number(value)


def above_zero(value: Any) -> Decimal:
    found = number(value)
    if found <= 0:
        raise ValueError(f"{value!r:.60} is not above zero")
    return found


def following(body: Any, name: str) -> str:
    """Return the cursor of the page after this one, empty after the last.

    A list without `has_next` may have a cursor on its last page, too: then the page
    after that is empty.
    """
    found = rows(body, name)
    more = flag(body["has_next"]) if "has_next" in body else bool(found)
    if not more:
        return ""
    cursor = body["cursor"]
    if not isinstance(cursor, str) or ("has_next" in body and not cursor):
        raise TypeError(f"{cursor!r:.60} is no cursor")
    return cursor
