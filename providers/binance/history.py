"""How histories are read in pages: by rising ids, or by weeks where ids do not suffice.

A cursor says where to go on. Where rows may still change it has a second part, after a
dash: the oldest of them, from which the next reading begins anew.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from providers.errors import Refused, UnexpectedResponse

from .answers import EPOCH, natural, rows_of

CURSOR: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?(?:-([0-9]+))?", re.ASCII)
PAGE: Final = 1000  # rows of one answer at most
WEEK: Final = timedelta(days=7) // timedelta(milliseconds=1)
# Futures tell trades of six months; a day less, because clocks and months differ.
KEPT: Final = timedelta(days=180)
LIVE: Final = frozenset({"NEW", "PENDING_NEW", "PARTIALLY_FILLED", "PENDING_CANCEL"})


class Sweep(ABC):
    """One page of a history: what to ask, and what to make of the answers."""

    def __init__(self, cursor: str, *, open_again: bool = False) -> None:
        found = CURSOR.fullmatch(cursor)
        if cursor and found is None:
            raise Refused(f"Nothing goes on at {cursor:.60}")
        start, last, again = map(_number, found.groups()) if found else (None,) * 3
        self.start, self.last, self.again = start, last, again
        self.open_again = open_again
        self.rows: Sequence[Any] = ()
        self.cursor, self.more = cursor, False

    @abstractmethod
    def wanted(self) -> dict[str, str] | None:
        """Return what to ask next, or None where the page is whole."""

    @abstractmethod
    def take(self, told: Sequence[Any]) -> None:
        """Make something of an answer."""

    @abstractmethod
    def key(self, row: Any) -> int:
        """Return by what rows are ordered."""

    def checked(self, body: Any) -> Sequence[Any]:
        """Return the rows of an answer, in the order they are read in."""
        found = rows_of(body)
        if len(found) > PAGE:
            raise ValueError("There are more rows than were asked for")
        return sorted(found, key=self.key)

    def end(self, rows: Sequence[Any], onward: str, *, more: bool) -> None:
        """Keep the rows, and where to go on: once all is read, at the oldest open one."""
        self.rows, self.more = rows, more
        known = [] if self.again is None else [self.again]
        again = min(
            known + [self.key(row) for row in rows if self._live(row)], default=None
        )
        if again is None:
            self.cursor = onward
        else:
            self.cursor = f"{onward}-{again}" if more else f"{again}"

    def _live(self, row: Any) -> bool:
        return self.open_again and row["status"] in LIVE


class ByNumber(Sweep):
    """Rows from an id on, a thousand at a time. Source: rest-api.md, both histories.

    Without a cursor the newest thousand are asked for; only where these do not reach
    back far enough, the oldest since then.
    """

    def __init__(
        self, name: str, cursor: str, since: datetime, *, open_again: bool = False
    ) -> None:
        super().__init__(cursor, open_again=open_again)
        self.name, self.since = name, _milliseconds(since)
        self._asked, self._reaches_too_far = 0, False

    def key(self, row: Any) -> int:
        return natural(row["id" if self.name == "fromId" else self.name])

    def wanted(self) -> dict[str, str] | None:
        limit = {"limit": f"{PAGE}"}
        if self._asked == 0:
            first = {} if self.start is None else {self.name: f"{self.start}"}
            return {**first, **limit}
        if self._asked == 1 and self.start is None and self._reaches_too_far:
            return {"startTime": f"{self.since}", **limit}
        return None

    def take(self, told: Sequence[Any]) -> None:
        self._asked += 1
        full = len(told) == PAGE
        if self.start is not None:
            self._end(told, more=full)
        elif self._asked == 1:
            self._reaches_too_far = full and natural(told[0]["time"]) > self.since
            wanted = [row for row in told if natural(row["time"]) >= self.since]
            self._end(wanted or told[-1:], more=False)
            self.rows = wanted
        elif not told:
            # The newest thousand are all younger than that: these cannot be none.
            raise UnexpectedResponse("A history that is there is not told")
        else:
            self._end(told, more=True)

    def _end(self, rows: Sequence[Any], *, more: bool) -> None:
        if rows:
            self.end(rows, f"{self.key(rows[-1]) + 1}", more=more)
        else:
            self.end(rows, "" if self.start is None else f"{self.start}", more=more)


class ByTime(Sweep):
    """Rows of a week at a time. Source: the futures' histories.

    Their ids are said to work without times, but not whether beyond the last seven days.
    After a dot, a cursor has the last id that was told of its moment.
    """

    def __init__(
        self,
        name: str,
        cursor: str,
        *,
        now: datetime,
        since: datetime,
        open_again: bool = False,
    ) -> None:
        super().__init__(cursor, open_again=open_again)
        self.name, self.now = name, _milliseconds(now)
        oldest = max(since.astimezone(UTC), now.astimezone(UTC) - KEPT)
        begin = _milliseconds(oldest)
        self.begin = begin if self.start is None else max(self.start, begin)
        self._done = False

    def key(self, row: Any) -> int:
        return natural(row["time"])

    def wanted(self) -> dict[str, str] | None:
        if self._done:
            return None
        until = self.begin + WEEK - 1
        times = {"startTime": f"{self.begin}", "endTime": f"{until}"}
        return {**times, "limit": f"{PAGE}"}

    def take(self, told: Sequence[Any]) -> None:
        self._done = True
        full = len(told) == PAGE
        new = [row for row in told if not self._known(row)]
        if full and not new:
            raise UnexpectedResponse("Too much happened in one moment to be told")
        if not full and self.begin + WEEK <= self.now:
            self.end(new, f"{self.begin + WEEK}", more=True)
        elif new:
            # What happened in the moment that was told last may not be all of it.
            last = new[-1]
            self.end(new, f"{self.key(last)}.{natural(last[self.name])}", more=full)
        else:
            self.end(new, self.cursor or f"{self.begin}", more=False)

    def _known(self, row: Any) -> bool:
        if self.last is None or self.key(row) != self.start:
            return False
        return natural(row[self.name]) <= self.last


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)
