"""Reads transactions page by page, as far back as the bank allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from providers.base import History, Movement
from providers.errors import ProviderError
from providers.fields import moment, rows, text
from providers.money import whole
from providers.wire import Request

from .answers import money

PAGE: Final = 100  # the most the bank gives at once
MOST_PAGES: Final = 50  # of one call; the next one goes on from the cursor
OPEN: Final = timedelta(days=89)  # 90 were refused where somebody measured it
SPAN: Final = timedelta(days=364)  # one request may not span more than 365 days
PENDING: Final = timedelta(days=14)  # after that a pending payment is final for us


class HistoryClosed(ProviderError):
    """History this old is open for five minutes after the consent only."""

    code = "history_closed"


@dataclass(slots=True)
class Stretch:
    """A stretch of history on its way in: what to ask next, and what came so far.

    Pages follow the last id, because moments have ties. The cursor is an id and its
    moment, `tx_1@2026-01-25T09:00:00Z`, so that a span can be measured from it.
    """

    account: str
    cursor: str
    now: datetime
    since: datetime
    movements: list[Movement] = field(default_factory=list)
    truncated: bool = False
    _pages: int = 0
    _after: str = ""
    _start: datetime = field(init=False)
    _end: datetime | None = field(init=False)
    _done: bool = False

    def __post_init__(self) -> None:
        self._after, _, moment = self.cursor.partition("@")
        self._start = datetime.fromisoformat(moment) if moment else self.since
        self._window()

    def _window(self) -> None:
        end = self._start + SPAN
        self._end = end if end < self.now else None

    def next(self, get: Callable[..., Request]) -> Request | None:
        """Return the next question, None when there is nothing more to ask now."""
        if self._done or self._pages == MOST_PAGES:
            return None
        before = (("before", stamp(self._end)),) if self._end else ()
        return get(
            "/transactions",
            ("account_id", self.account),
            ("since", self._after or stamp(self._start)),
            *before,
            ("limit", str(PAGE)),
            ("expand[]", "merchant"),
        )

    def read(self, body: Any) -> list[Movement]:
        return [movement(row) for row in rows(body, "transactions")]

    def take(self, page: Sequence[Movement]) -> None:
        """Keep a page, and find out where the next one begins."""
        self._pages += 1
        known = {m.external_id for m in self.movements}
        fresh = [m for m in page if m.external_id not in known]
        self.movements += fresh
        if len(page) == PAGE and fresh:
            last = page[-1]
            self._after, self._start = last.external_id, last.created
        elif self._end is not None:
            # Whether the ends of a span are inside it is not documented: overlap.
            self._after, self._start = "", self._end - timedelta(seconds=1)
            self._window()
        else:
            self._done = True

    def clamp(self) -> None:
        """Go on with what is open; raises HistoryClosed if that is closed too."""
        start = self.now - OPEN
        if self.truncated or self._start > start:
            raise HistoryClosed
        self.truncated, self._after, self._start = True, "", start
        self._window()

    def history(self) -> History:
        return History(
            self.movements, self._final(), self.truncated, more=not self._done
        )

    def _final(self) -> str:
        """Return the cursor: the last movement before which none will change."""
        cursor = self.cursor
        for found in self.movements:
            young = found.created > self.now - PENDING
            if young and found.settled is None and not found.declined:
                break
            cursor = f"{found.external_id}@{stamp(found.created)}"
        return cursor


def movement(row: Any) -> Movement:
    """Return one transaction; money that left is negative."""
    metadata = row.get("metadata") or {}
    return Movement(
        text(row["id"]),
        whole(row["amount"]),
        money(row["currency"]),
        moment(row["created"]),
        # Pending is an empty text, not null.
        settled=moment(row["settled"]) if row["settled"] else None,
        declined=row.get("decline_reason") or "",
        description=row.get("description") or "",
        counterparty=_name(row.get("counterparty")),
        merchant=_name(row.get("merchant")),
        category=row.get("category") or "",
        dedupe_id=metadata.get("external_id", ""),
        pot=_pot(row, metadata),
        metadata=_details(row, metadata),
    )


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _name(value: Any) -> str:
    """Return the name in an expanded object; it may also be null, {} or only an id."""
    name = value.get("name") if isinstance(value, Mapping) else None
    return name if isinstance(name, str) else ""


def _pot(row: Any, metadata: Mapping[str, Any]) -> str:
    """Return the pot on the other side; the description names it, where metadata do not."""
    if found := metadata.get("pot_id"):
        return text(found)
    moved = row.get("scheme") == "uk_retail_pot"
    return text(row["description"]) if moved else ""


def _details(row: Any, metadata: Mapping[str, Any]) -> dict[str, str]:
    found = {k: v for k, v in metadata.items() if isinstance(v, str)}
    scheme = row.get("scheme")
    return {**found, "scheme": scheme} if isinstance(scheme, str) else found
