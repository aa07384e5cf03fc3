"""The words of what was known, what was told, and what that means."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from providers.money import EXACT
from providers.trading import STATUSES, Market, Order, Position

from .figures import plain

# The provider says that it has no such order: not the same as cancelled.
ABSENT: Final = "absent"
OVER: Final = (STATUSES | {ABSENT}) - {"open", "partially_filled"}
ORDER, TRADE, POSITION = "order", "trade", "position"

Key = tuple[str, str, str]  # segment, market, external id


class Row(Protocol):
    @property
    def external_id(self) -> str: ...
    @property
    def market(self) -> Market: ...


def key_of(row: Row) -> Key:
    """Return what is unique within a connection."""
    return row.market.segment, row.market.name, row.external_id


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """An order as we have it; `order.status` may be ABSENT."""

    id: UUID
    order: Order
    seen_at: datetime
    absent_at: datetime | None = None  # when the provider said that there is none
    doubt: str = ""  # why it could not be looked up


@dataclass(frozen=True, slots=True)
class KnownPosition:
    """A position as we have it."""

    id: UUID
    position: Position
    seen_at: datetime
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one order, trade or position that is different now."""

    kind: str  # ORDER, TRADE or POSITION
    id: UUID
    key: Key
    field: str = ""
    old: str = ""
    new: str = ""
    difference: str = ""  # in the field's own unit, if a figure
    severity: str = "info"
    reason: str = ""

    @property
    def subject(self) -> str:
        """Return what it is about, for people."""
        return f"{self.key[1]} {self.key[2]}"


def differences(
    about: Change,
    before: object,
    after: object,
    watched: Iterable[str],
    grave: Collection[str] = (),
) -> Iterator[Change]:
    """Yield what is different of the `watched` fields: a warning where it is `grave` now.

    `about` says of what, and why; a difference is only told between two figures.
    """
    for name in watched:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        words = isinstance(old, str)
        yield replace(
            about,
            field=name,
            old=old if words else plain(old),
            new=new if words else plain(new),
            difference=""
            if words or None in (old, new)
            else plain(EXACT.subtract(new, old)),
            severity="warning" if new in grave else "info",
        )


@dataclass(frozen=True, slots=True)
class Most:
    """From when on many things are gone at once: at least `fewest`, and `percent`."""

    fewest: int = 3
    percent: int = 50

    def reached(self, gone: int, of: int) -> bool:
        """Say whether so many of so many gone at once are not believed."""
        return gone >= self.fewest and gone * 100 >= self.percent * of
