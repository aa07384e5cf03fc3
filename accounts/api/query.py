"""Parameters of one request that no filter describes."""

from __future__ import annotations

from datetime import datetime

from .base import invalid
from .reading import moment, plain_number


def number(request, name: str, *, most: int) -> int | None:
    """Return a whole number from 0 to `most`; raises ValidationError."""
    told = request.query_params.get(name)
    if told is None:
        return None
    value = plain_number(told)
    if value is None or value > most:
        raise invalid(name, f"A whole number from 0 to {most}.")
    return value


def when(request, name: str) -> datetime | None:
    """Return an RFC 3339 time in UTC; raises ValidationError."""
    told = request.query_params.get(name)
    if told is None:
        return None
    if (value := moment(told)) is None:
        raise invalid(name, "An RFC 3339 time, such as 2026-01-31T09:00:00Z.")
    return value
