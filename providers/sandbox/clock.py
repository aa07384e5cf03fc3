"""A clock that can be moved, so that ninety days pass in a test."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta


class Clock:
    """What time an institution thinks it is: the machine's, moved or standing still."""

    def __init__(self) -> None:
        self.offset = 0.0  # seconds ahead of this machine
        self.frozen: float | None = None

    def timestamp(self) -> float:
        """Return the moment in seconds since 1970."""
        base = time.time() if self.frozen is None else self.frozen
        return base + self.offset

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once; negative ones go back."""
        self.offset += seconds

    def set(self, moment: datetime) -> None:
        """Make it `moment` now, and let time run on from there."""
        self.offset = 0.0
        self.offset = moment.timestamp() - self.timestamp()

    def freeze(self, moment: datetime | None = None) -> None:
        """Stand still, at `moment` or where the clock is."""
        self.frozen, self.offset = (moment or self.now()).timestamp(), 0.0

    def reset(self) -> None:
        """Show this machine's time again."""
        self.offset, self.frozen = 0.0, None

    @contextmanager
    def skewed(self, seconds: float) -> Iterator[None]:
        """Be wrong by `seconds` for a while."""
        self.offset += seconds
        try:
            yield
        finally:
            self.offset -= seconds


def text(moment: datetime) -> str:
    """Return `moment` as RFC 3339 with milliseconds in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def parse(moment: str) -> datetime:
    """Return the moment written as RFC 3339; raises ValueError without a time zone."""
    found = datetime.fromisoformat(moment)
    if found.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return found.astimezone(UTC)


def ago(moment: datetime, **span: float) -> datetime:
    return moment - timedelta(**span)
