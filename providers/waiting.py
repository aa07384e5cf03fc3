"""How long a provider wants to be left alone."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from .wire import Response

LONGEST_HOLD: Final = (
    3 * 86_400.0
)  # seconds: the longest ban a provider is known to give
BANNED: Final = 120.0  # seconds, where a ban does not say how long it lasts
MARGIN: Final = 1.1  # of what was asked: clocks differ, and others come back, too


def wait_asked(response: Response, now: datetime | None = None) -> float | None:
    """Return the seconds of `Retry-After`, a number or a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_HOLD)
    try:
        left = parsedate_to_datetime(text) - (now or datetime.now(UTC))
    except (ValueError, TypeError):
        return None  # no date either, or one without a zone
    return min(max(left.total_seconds(), 0.0), LONGEST_HOLD)
