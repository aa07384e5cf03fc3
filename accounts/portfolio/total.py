"""What holdings come to in one asset, what that lacks, and how it changed.

All of it is whole numbers and fractions of them; an amount is rounded once, at the very
end, to the minor unit, half to even.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import Any

from accounts.history.trends import rounded
from providers.money import LARGEST, Asset

from .rates import Rate, Table, Worth, in_minor_units

SHARE_PLACES = 2  # of a percentage
LARGEST_VALUE = LARGEST // 10**6  # leaves room for a sum of a million of them


class Why(StrEnum):
    """What keeps a holding out of a figure, or in doubt within it."""

    UNKNOWN = "unknown"  # nothing was ever read
    NO_RATE = "no_rate"
    STALE = "stale"  # counted with its last good value
    STALE_RATE = "stale_rate"  # counted by an old rate
    NO_PAST = "no_past"  # what it held then is not known
    NOT_READ = "not_read"  # not confirmed since then
    CLOSED = "closed"  # closed since then


NOT_COUNTED = frozenset({Why.UNKNOWN, Why.NO_RATE})


class Status(StrEnum):
    """How far a total may be trusted."""

    OK = "ok"
    STALE = "stale"  # all is counted, some of it is old
    PARTIAL = "partial"  # something is not counted
    UNKNOWN = "unknown"  # nothing could be counted


@dataclass(frozen=True, slots=True)
class Holding:
    """What one account holds in minor units, None where nobody knows.

    `past` is what it held at the beginning of the time that changes are told for;
    `confirmed`: it was read since then; `closed`: it was closed since then.
    """

    key: Any
    provider: str
    asset: Asset
    total: int | None
    stale: bool = False
    past: int | None = None
    confirmed: bool = True
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is wrong with one holding."""

    holding: Holding
    why: Why


@dataclass(frozen=True, slots=True)
class Share:
    """What one provider, or one asset, has of the whole; None where nobody knows."""

    name: Any
    holdings: Sequence[Holding]
    value: int | None
    percent: Decimal | None
    partial: bool

    @property
    def held(self) -> int | None:
        """What is known to be held, in minor units: only for holdings of one asset."""
        known = [row.total for row in self.holdings if row.total is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class Change:
    """What the same accounts were worth then and are now, by the rates of now."""

    then: int
    now: int
    difference: int
    percent: Decimal | None


class Portfolio:
    """Holdings, valued in `base`; only where there are none may there be no base.

    Not `whole`: there are others, of which nobody told.
    """

    def __init__(
        self,
        holdings: Iterable[Holding],
        base: Asset | None,
        table: Table,
        moment: datetime,
        *,
        whole: bool = True,
    ) -> None:
        self.base, self.moment, self.whole = base, moment, whole
        everything = list(holdings)
        self.holdings = [row for row in everything if not row.closed]
        self.gone = [row for row in everything if row.closed]
        assets = {row.asset for row in everything}
        self.worths = {one: table.worth(one.code, base.code) for one in assets}

    def value(self, minor: int | None, asset: Asset) -> Fraction | None:
        """Return an amount in minor units of the base, not rounded; None: nobody knows."""
        worth: Worth | None = self.worths[asset]
        if minor is None or worth is None:
            return None
        value = minor * in_minor_units(worth.value, asset, self.base)
        return value if abs(value) <= LARGEST_VALUE else None

    def values(self, rows: Iterable[Holding]) -> list[Fraction]:
        """Return the values of those that have one."""
        told = (self.value(row.total, row.asset) for row in rows)
        return [value for value in told if value is not None]

    @property
    def total(self) -> int | None:
        """What is counted comes to; None where nothing could be counted."""
        known = self.values(self.holdings)
        return round(sum(known, Fraction())) if known else None

    @property
    def doubts(self) -> list[Doubt]:
        """Return what is not counted, or counted with a doubt: at most one a holding."""
        told = ((row, self.doubt(row)) for row in self.holdings)
        return [Doubt(row, why) for row, why in told if why is not None]

    def doubt(self, row: Holding) -> Why | None:
        """Return the worst that can be said of a holding."""
        worth = self.worths[row.asset]
        if row.total is None:
            return Why.UNKNOWN
        if worth is None or self.value(row.total, row.asset) is None:
            return Why.NO_RATE
        if row.stale:
            return Why.STALE
        return Why.STALE_RATE if worth.stale(self.moment) else None

    @property
    def status(self) -> Status:
        doubts = {doubt.why for doubt in self.doubts}
        if self.total is None:
            return Status.UNKNOWN
        if doubts & NOT_COUNTED or not self.whole:
            return Status.PARTIAL
        return Status.STALE if doubts else Status.OK

    @property
    def rates(self) -> list[Rate]:
        """Return the rates that were used, each once."""
        used = (rate for worth in self.worths.values() if worth for rate in worth.rates)
        return sorted(set(used), key=str)

    def shares(self, name: Callable[[Holding], Any]) -> list[Share]:
        """Return what each group has of the total, the largest first.

        The groups come to the total to the last unit.
        """
        groups: dict[Any, list[Holding]] = {}
        for row in self.holdings:
            groups.setdefault(name(row), []).append(row)
        values = {one: self.values(rows) for one, rows in groups.items()}
        known = {one: sum(found, Fraction()) for one, found in values.items() if found}
        parts = dict(zip(known, apportion(list(known.values())), strict=True))
        whole = sum(known.values(), Fraction())
        shares = [
            Share(
                one,
                rows,
                parts.get(one),
                percent(known[one], whole) if one in known else None,
                len(values[one]) < len(rows),
            )
            for one, rows in groups.items()
        ]
        return sorted(shares, key=lambda share: -known.get(share.name, Fraction()))

    @property
    def change(self) -> Change | None:
        """Return how the worth of what is comparable changed; None: nothing is."""
        rows = [row for row in self.holdings if self.left_out(row) is None]
        if not rows:
            return None
        now = sum(self.values(rows), Fraction())
        then = sum((self.value(row.past, row.asset) for row in rows), Fraction())
        return Change(round(then), round(now), round(now - then), growth(now, then))

    @property
    def not_compared(self) -> list[Doubt]:
        """Return what the change leaves out, and why."""
        told = ((row, self.left_out(row)) for row in [*self.holdings, *self.gone])
        return [Doubt(row, why) for row, why in told if why is not None]

    def left_out(self, row: Holding) -> Why | None:
        if row.closed:
            return Why.CLOSED
        if (why := self.doubt(row)) in NOT_COUNTED:
            return why
        if self.value(row.past, row.asset) is None:
            return Why.NO_PAST
        return None if row.confirmed else Why.NOT_READ


def apportion(values: Sequence[Fraction]) -> list[int]:
    """Return `values` as whole numbers that come to their rounded sum.

    Each is rounded down; what is left goes to the largest remainders.
    """
    down = [floor(value) for value in values]
    left = round(sum(values, Fraction())) - sum(down)
    order = sorted(range(len(values)), key=lambda at: down[at] - values[at])
    for at in order[:left]:
        down[at] += 1
    return down


def percent(part: Fraction, whole: Fraction) -> Decimal | None:
    """Return a part as a percentage; of nothing, or of debts, there is none."""
    return rounded(100 * part / whole, SHARE_PLACES) if whole > 0 else None


def growth(now: Fraction, then: Fraction) -> Decimal | None:
    """Return by how many per cent `then` became `now`; from zero there is none."""
    return rounded(100 * (now - then) / abs(then), SHARE_PLACES) if then else None
