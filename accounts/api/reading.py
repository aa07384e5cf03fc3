"""Text from outside, read in one way only."""

from __future__ import annotations

import re

from accounts.moments import moment

PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
PLAIN_UUID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    re.ASCII | re.IGNORECASE,
)


def plain_number(text: str) -> int | None:
    """Return the whole number in `text`; "1_000", "+5" and " 5 " are none."""
    return int(text) if PLAIN_NUMBER.fullmatch(text) else None


def is_moment(text: str) -> bool:
    """Say whether `text` is a time with an offset."""
    return moment(text) is not None
