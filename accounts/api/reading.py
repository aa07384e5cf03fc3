"""Text from outside, read in one way only."""

from __future__ import annotations

import re
from datetime import UTC, datetime

PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
PLAIN_UUID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    re.ASCII | re.IGNORECASE,
)


def plain_number(text: str) -> int | None:
    """Return the whole number in `text`; "1_000", "+5" and " 5 " are none."""
    return int(text) if PLAIN_NUMBER.fullmatch(text) else None


def moment(text: str) -> datetime | None:
    """Return the RFC 3339 time in `text`, in UTC; without an offset it is none."""
    if not MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_moment(text: str) -> bool:
    """Say whether `text` is a time with an offset."""
    return moment(text) is not None
