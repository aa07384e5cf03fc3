"""Reads single fields of answers; raises ValueError, TypeError or LookupError."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .money import whole


def text(value: Any) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r:.60} is not a text")
    return value


def flag(value: Any) -> bool:
    """Return true or false, and nothing that only counts as one of them."""
    if not isinstance(value, bool):
        raise TypeError(f"{value!r:.60} is neither true nor false")
    return value


def natural(value: Any) -> int:
    """Return minor units, or another whole number, that are not below zero."""
    if whole(value) < 0:
        raise ValueError(f"{value} is below zero")
    return whole(value)


def moment(value: Any) -> datetime:
    """Return a moment written with its time zone, in UTC."""
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
