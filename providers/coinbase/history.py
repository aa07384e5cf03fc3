"""How histories are read: by spans of time, for a list begins with what is newest.

Lists go from the newest row to the oldest, and what comes first has to be told first.
So a span is read to its end, and halved if it holds too much for one call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from providers.errors import UnexpectedResponse

# A row may be listed a little after it was made, and clocks differ; by more than a
# token lasts they cannot, or nothing would be answered at all.
UNSETTLED: Final = timedelta(seconds=120)
SHORTEST: Final = timedelta(seconds=1)
TICK: Final = timedelta(milliseconds=1)  # of the moments that are asked for


@dataclass(frozen=True, slots=True)
class Span:
    """The time from `start` to `end`; without an end it goes on for ever."""

    start: datetime
    end: datetime | None
    now: datetime

    @classmethod
    def after(cls, cursor: str, *, now: datetime, since: datetime) -> Span:
        """Return what to read next: a cursor says from when, and how much at once."""
        moment, _, seconds = cursor.partition("/")
        start = _whole(datetime.fromisoformat(moment) if moment else since)
        if not seconds:
            return cls(start, None, now)
        return cls(start, None, now).shortened(timedelta(seconds=int(seconds)))

    def shortened(self, length: timedelta) -> Span:
        """Return its first part, of this length, unless that comes near the present."""
        end = self.start + length
        return replace(self, end=None if end >= self.now - UNSETTLED else end)

    def halved(self) -> Span:
        """Return its first half; raises UnexpectedResponse where that is too short."""
        half = ((self.end or self.now) - self.start) / 2
        if half < SHORTEST:
            raise UnexpectedResponse("More happened in a second than can be read")
        return replace(self, end=_whole(self.start + half))

    def moments(self, first: str, last: str) -> list[tuple[str, str]]:
        """Return the parameters that ask for it, under the names given."""
        # Whether the moment itself is in it is not documented: so it is, surely.
        found = [(first, _text(self.start - TICK))]
        return found + ([(last, _text(self.end + TICK))] if self.end else [])

    @property
    def cursor(self) -> str:
        """Return from when to read on, and for how long where time is left to read."""
        if self.end is not None:
            length = self.end - self.start
            return f"{_text(self.end)}/{max(2 * int(length.total_seconds()), 2)}"
        return _text(max(self.start, _whole(self.now - UNSETTLED)))


def _whole(moment: datetime) -> datetime:
    """Return the millisecond in which `moment` lies."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _text(moment: datetime) -> str:
    written = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return written.removesuffix("+00:00") + "Z"
