"""Moments as Starling writes them: RFC 3339 with milliseconds, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def to_the_millisecond(moment: datetime) -> datetime:
    """Return a moment as exactly as it can be written in a question."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
