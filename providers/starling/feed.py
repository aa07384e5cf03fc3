"""Reads an account's feed: a stretch of time at first, then what changed since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from providers.base import History, Movement
from providers.fields import moment as when
from providers.fields import natural, rows, text
from providers.wire import Request

from .answers import DECIMALS, asset_of, money
from .moments import stamp, to_the_millisecond
from .transfers import REFERENCE

SPAN: Final = timedelta(days=364)  # one request may not span more than a year
AHEAD: Final = timedelta(days=1)  # the bank's clock may be ahead of ours
# Whether answers are cut short is not written; the paged feed's pages have so many.
LONG: Final = 1000
SHORTEST: Final = timedelta(seconds=1)  # of a stretch; shorter ones are not divided
MOST: Final = 40  # requests of one call; the next one goes on from the cursor
OVERLAP: Final = timedelta(seconds=1)  # whether the ends are inside is not written
NAMED: Final = 15  # items of one moment that a cursor names
PENDING: Final = timedelta(days=14)  # after that a pending payment is final for us

# Money moved, or is on its way; nothing moved; nothing has happened yet.
MOVED: Final = frozenset({"SETTLED", "REFUNDED"})
ON_ITS_WAY: Final = frozenset({"PENDING"})
CAME_TO_NOTHING: Final = frozenset({"DECLINED", "REVERSED"})
NOTHING_YET: Final = frozenset(
    {"UPCOMING", "UPCOMING_CANCELLED", "RETRYING", "ACCOUNT_CHECK"}
)
STATUSES: Final = MOVED | ON_ITS_WAY | CAME_TO_NOTHING | NOTHING_YET
DETAILS: Final = ("source", "sourceSubType", "status", "country", "userNote")

Get = Callable[..., Request]


@dataclass(frozen=True, slots=True)
class Item:
    """A movement, and when the bank last changed what it says of it."""

    movement: Movement
    updated: datetime


@dataclass(frozen=True, slots=True)
class Between:
    """Asks for what was made between two moments."""

    start: datetime
    end: datetime

    def asked(self, get: Get, path: str) -> Request:
        return get(
            f"{path}/transactions-between",
            ("minTransactionTimestamp", stamp(self.start)),
            ("maxTransactionTimestamp", stamp(self.end)),
        )

    def halves(self) -> list[Between]:
        middle = self.start + (self.end - self.start) / 2
        return [Between(self.start, middle), Between(middle, self.end)]


@dataclass(frozen=True, slots=True)
class Changes:
    """Asks for what was made or changed since a moment."""

    since: datetime

    def asked(self, get: Get, path: str) -> Request:
        return get(path, ("changesSince", stamp(self.since)))


def windows(start: datetime, end: datetime) -> list[Between]:
    """Return stretches of at most `SPAN` that cover everything from start to end."""
    found = []
    while start < end:
        found.append(Between(start, min(start + SPAN, end)))
        start += SPAN
    return found


@dataclass(slots=True)
class Stretch:
    """A stretch of the feed on its way in: what to ask next, and what came so far.

    What is new at the bank need not be young: a card payment can arrive days after it
    was made, and a settled one changes. So the cursor is the moment of the last change
    that was told, after how the ids of those of that moment begin:
    `220f236e+3303f51a@2026-01-25T09:00:00.000Z`. Before there is one, it is how far a
    first reading came and when that began: `>2025-06-01T00:00:00.000Z@2026-01-25T…`.
    """

    cursor: str
    now: datetime
    since: datetime
    items: dict[str, Item] = field(default_factory=dict)
    _known: list[str] = field(default_factory=list)
    _began: datetime | None = None
    _moment: datetime | None = None
    _todo: list[Between | Changes] = field(default_factory=list)
    _asked: int = 0

    def __post_init__(self) -> None:
        known, _, moment = self.cursor.partition("@")
        end = self.now + AHEAD
        if known.startswith(">"):
            self._began = when(moment)
            self._todo += windows(when(known[1:]), end)
        elif not moment:
            self._todo += windows(self.since, end)
        else:
            self._moment, self._known = when(moment), known.split("+")
            late = self._moment < self.now - SPAN
            everything = windows(self.since, end)
            self._todo += everything if late else [Changes(self._moment - OVERLAP)]

    def next(self) -> Between | Changes | None:
        """Return the next question, None when there is nothing more to ask now."""
        if not self._todo or self._asked == MOST:
            return None
        self._asked += 1
        return self._todo.pop(0)

    def take(self, question: Between | Changes, told: Sequence[Item]) -> None:
        """Keep what came, unless it may be cut short: then it is asked for in parts."""
        if len(told) >= LONG:
            if isinstance(question, Changes):
                # What changed may have been made at any time.
                self._todo += windows(self.since, self.now + AHEAD)
                return
            if question.end - question.start > SHORTEST:
                self._todo[:0] = question.halves()
                return
        # The feed begins with the newest; of equal moments the order is the bank's.
        for item in reversed(told):
            self.items[item.movement.external_id] = item

    def history(self) -> History:
        changed = sorted(self.items.values(), key=lambda item: item.updated)
        fresh = [item for item in changed if not self._told(item)]
        cursor = self._progress() if self._todo else self._final(fresh)
        new = {item.movement.external_id for item in fresh}
        told = [item.movement for id, item in self.items.items() if id in new]
        told.sort(key=lambda movement: movement.created)
        return History(told, cursor, more=bool(self._todo))

    def _told(self, item: Item) -> bool:
        """Say whether an earlier reading told this, as it is now, for certain."""
        if self._moment is None or item.updated > self._moment:
            return False
        return item.updated < self._moment or _short(item) in self._known

    def _progress(self) -> str:
        """Return how far this came, and since when changes have to be asked for."""
        ahead = self._todo[0]
        assert isinstance(ahead, Between)  # changes are asked for first, or never
        began = self._began or self._moment or self.now
        return f">{stamp(ahead.start)}@{stamp(began)}"

    def _final(self, fresh: Sequence[Item]) -> str:
        """Return the cursor: the last change before which none will follow."""
        known, moment = self._known, self._moment
        for item in fresh:
            found = item.movement
            young = found.created > self.now - PENDING
            if young and found.settled is None and not found.declined:
                break
            if self._began is not None and item.updated > self._began:
                break
            known = [*known, _short(item)] if item.updated == moment else [_short(item)]
            moment = item.updated
        if moment is None:
            return f"@{stamp(self._began)}" if self._began else ""
        # Those of one moment that find no place are told again, which does no harm.
        return f"{'+'.join(known[-NAMED:])}@{stamp(moment)}"


def _short(item: Item) -> str:
    return item.movement.external_id[:8]


def category_of(account: str, body: Any) -> str:
    """Return which category of an account holds its own money, not that of a space."""
    found = [row for row in rows(body, "accounts") if row["accountUid"] == account]
    if len(found) != 1:
        raise ValueError("The account is not listed")
    return text(found[0]["defaultCategory"])


def read_feed(body: Any) -> list[Item]:
    """Return the items of a feed that moved money or tried to."""
    known = [(row, _status(row)) for row in rows(body, "feedItems")]
    return [_item(row, s) for row, s in known if s not in NOTHING_YET]


def _status(row: Any) -> str:
    status = row["status"]
    if status not in STATUSES:
        raise ValueError(f"A feed item cannot be {status!r}")
    return str(status)


def _item(row: Any, status: str) -> Item:
    """Return one item; money that left is negative."""
    currency = text(row["amount"]["currency"])
    if currency not in DECIMALS:
        raise ValueError(f"The currency is {currency!r}")
    sign = {"IN": 1, "OUT": -1}[row["direction"]]
    created, party = when(row["transactionTime"]), row.get("counterPartyType")
    inside = row.get("source") == "INTERNAL_TRANSFER" and party == "CATEGORY"
    name, reference = _said(row, "counterPartyName"), _said(row, "reference")
    ours = inside and reference.startswith(REFERENCE)
    movement = Movement(
        text(row["feedItemUid"]),
        sign * natural(money(row["amount"], currency)),
        asset_of(currency),
        created,
        settled=_settled(row, created) if status in MOVED else None,
        declined=_reason(row, status) if status in CAME_TO_NOTHING else "",
        description=reference or name,
        counterparty="" if party == "MERCHANT" else name,
        merchant=name if party == "MERCHANT" else "",
        category=_said(row, "spendingCategory").lower(),
        dedupe_id=reference.removeprefix(REFERENCE) if ours else "",
        pot=text(row["counterPartyUid"]) if inside else "",
        metadata={name: _said(row, name) for name in DETAILS if _said(row, name)},
    )
    return Item(movement, to_the_millisecond(when(row["updatedAt"])))


def _said(row: Any, name: str) -> str:
    """Return what is told for people; it may be absent or null."""
    found = row.get(name)
    return found if isinstance(found, str) else ""


def _settled(row: Any, created: datetime) -> datetime:
    return when(row["settlementTime"]) if row.get("settlementTime") else created


def _reason(row: Any, status: str) -> str:
    """Return why nothing moved; the reason is not documented, but seen."""
    return text(row.get("feedItemFailureReason") or status)
