"""Reads single fields of Coinbase's answers; raises ValueError, TypeError or LookupError."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from providers.money import EXACT, PLAIN_DECIMAL


def text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r:.60} is not a text")
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r:.60} is neither true nor false")
    return value


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


def moment(value: Any) -> datetime:
    found = datetime.fromisoformat(text(value))
    if found.tzinfo is None:
        raise ValueError(f"{value!r:.60} has no time zone")
    return found.astimezone(UTC)


def rows(body: Any, name: str) -> Sequence[Mapping[str, Any]]:
    """Return the objects listed under `name`."""
    found = body[name]
    if not isinstance(found, list) or not all(isinstance(r, dict) for r in found):
        raise TypeError(f"{name} is no list of objects")
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
