"""Moments as texts, read in one way only."""

from __future__ import annotations

import re
from datetime import UTC, datetime

MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])",
    re.ASCII,
)


def moment(text: str) -> datetime | None:
    """Return the RFC 3339 time in `text`, in UTC; without an offset it is none."""
    if not MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
