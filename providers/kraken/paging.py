"""Histories in pages of fifty, newest first, counted from the newest: walked from the oldest.

A page that is asked for by its distance from the newest row shifts with every new row.
So rows are counted from the oldest one, whose number never changes, and the answer's own
count tells how far everything has shifted since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

PAGE: Final = 50
# Seconds that are read again by the next stretch: a row may be listed a little late.
OVERLAP: Final = 60

Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Turned:
    """One page: rows as they came, how many there are in all, the newest's second."""

    rows: Rows
    count: int
    newest: int | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is being read: rows after `start`, up to `end` once that is known.

    First comes a look at the newest page. It holds everything, or tells how many rows
    there are; then all of them are walked through, and a look at what is newer follows.
    """

    start: int  # seconds since 1970, not included
    end: int | None = None  # included; None for a look
    done: int = 0  # rows handed out, counted from the oldest
    count: int = 0  # rows there were when last told
    fresh: bool = False  # whether nothing up to `start` can be new

    @classmethod
    def at(cls, cursor: str, since: datetime) -> Stretch:
        """Return where a cursor points; raises ValueError for one that is none."""
        if not cursor:
            return cls(int(since.timestamp()) - 1, fresh=True)
        if cursor.endswith("!"):
            return cls(int(cursor[:-1]), fresh=True)
        if ":" not in cursor:
            return cls(int(cursor))
        start, end, done, count = (int(part) for part in cursor.split(":"))
        return cls(start, end, done, count)

    @property
    def cursor(self) -> str:
        if self.end is None:
            return f"{self.start}!" if self.fresh else f"{self.start}"
        return f"{self.start}:{self.end}:{self.done}:{self.count}"

    @property
    def offset(self) -> int:
        return max(0, self.count - self.done - PAGE)

    def wish(self) -> Mapping[str, int]:
        """Return the fields that ask for the oldest page not handed out yet."""
        if self.end is None:
            return {"start": self.start - OVERLAP * (not self.fresh), "ofs": 0}
        return {"start": self.start, "end": self.end, "ofs": self.offset}

    def take(self, turned: Turned) -> tuple[Rows, str, bool]:
        """Return the rows that are new, oldest first, the next cursor, and if there is more."""
        if self.end is None:
            return self._look(turned)
        if turned.count != self.count:  # all has shifted: ask for it at its new place
            return {}, replace(self, count=turned.count).cursor, True
        first = self.count - self.offset - len(turned.rows)
        rows = _oldest_first(turned.rows, self.done - first)
        if first > self.done or not rows:
            raise ValueError("Rows that were counted are missing")
        done = self.done + len(rows)
        if done < self.count:
            return rows, replace(self, done=done).cursor, True
        return rows, Stretch(self.end, fresh=True).cursor, True

    def _look(self, turned: Turned) -> tuple[Rows, str, bool]:
        if turned.newest is None:
            return {}, Stretch(self.start).cursor, False
        if len(turned.rows) == turned.count:
            after = Stretch(max(self.start, turned.newest))
            return _oldest_first(turned.rows), after.cursor, False
        # By Kraken's clock, not ours: what is newer than this cannot shift the pages.
        start = self.wish()["start"]
        walk = Stretch(start, turned.newest + 1, 0, turned.count)
        return {}, walk.cursor, True


def _oldest_first(rows: Rows, skip: int = 0) -> Rows:
    return dict(list(rows.items())[::-1][max(0, skip) :])
