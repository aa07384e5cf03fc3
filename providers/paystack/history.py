"""How the ledger is read: by spans of time, for its pages begin with what is newest.

What comes first has to be told first. So a span is read to its end, from the newest page
on: an entry that comes meanwhile shifts others to later pages, where they are met again.
A span with too many pages is halved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from providers.base import History
from providers.errors import UnexpectedResponse

from .answers import Entry, Page, movement

PAGE: Final = 100  # entries
MOST_PAGES: Final = 10  # of one call; the next one goes on from the cursor
# Whether the ends of a span are inside it is not documented: so they are, surely.
EDGE: Final = timedelta(seconds=1)
SHORTEST: Final = timedelta(seconds=2)


@dataclass(slots=True)
class Stretch:
    """A span of the ledger on its way in: what to ask next, and what came so far.

    The cursor is the highest id told, and from when to read on: `149@2026-01-25T09:00Z`.
    """

    account: str
    cursor: str
    now: datetime
    since: datetime
    done: bool = False
    _last: int = field(init=False)
    _start: datetime = field(init=False)
    _end: datetime | None = None
    _page: int = 0
    _entries: dict[int, Entry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        id, _, start = self.cursor.partition("@")
        self._last = int(id or 0)
        self._start = datetime.fromisoformat(start) if start else self.since

    def next(self) -> Sequence[tuple[str, str]]:
        """Return the parameters of the next question."""
        self._page += 1
        end = [("to", _text(self._end + EDGE))] if self._end else []
        return [
            ("perPage", str(PAGE)),
            ("page", str(self._page)),
            ("from", _text(self._start - EDGE)),
            *end,
        ]

    def take(self, page: Page) -> None:
        """Keep a page, and find out whether there is another one."""
        if page.count > MOST_PAGES:
            self._halve()
            return
        self._entries |= {entry.id: entry for entry in page.entries}
        self.done = self._page >= page.count

    def _halve(self) -> None:
        length = ((self._end or self.now) - self._start) / 2
        if length < SHORTEST:
            raise UnexpectedResponse("More happened at one moment than can be read")
        self._end, self._page = self._start + length, 0
        self._entries.clear()

    def history(self) -> History:
        """Return the account's entries, oldest first; their ids grow."""
        fresh = [self._entries[id] for id in sorted(self._entries) if id > self._last]
        mine = [movement(entry) for entry in fresh if entry.account == self.account]
        start = self._end or max((e.created for e in fresh), default=self._start)
        last = max((e.id for e in fresh), default=self._last)
        cursor = f"{last}@{_text(start)}"
        return History(mine, cursor, more=self._end is not None)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
