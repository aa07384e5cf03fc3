"""Where a balance is going: exact arithmetic over time, the same for any asset.

A balance is a line of steps, so every figure weighs an amount by how long it was held:
ten snapshots of one busy minute say no more than that minute. The line through it is
the least-squares line of the whole course (its integral), not of the sampled points.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import isqrt

from providers.money import EXACT

from .held import Block, Day, Held, Point, held

PLACES = 6  # of strength, fit and volatility
PERCENT_PLACES = 4


class Direction(StrEnum):
    """Which way the line through a balance goes."""

    INCREASING = "increasing"
    DECREASING = "decreasing"
    FLAT = "flat"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trend:
    """What a window says; amounts in minor units, None where nothing was known.

    `strength`: how far the line moves over the known time, and `volatility`: the
    standard deviation, both as parts of the average distance from zero.
    `r_squared`: how much of the course the line explains; None without any change.
    """

    direction: Direction = Direction.UNKNOWN
    strength: Decimal | None = None
    r_squared: Decimal | None = None
    volatility: Decimal | None = None
    least: int | None = None
    most: int | None = None
    mean: int | None = None  # over time, rounded half to even
    first: int | None = None
    last: int | None = None
    known: int = 0  # microseconds

    @property
    def change(self) -> int | None:
        if self.first is None or self.last is None:
            return None
        return self.last - self.first

    @property
    def percent_change(self) -> Decimal | None:
        """The change as a percentage of where it began; from zero there is none."""
        if self.change is None or not self.first:
            return None
        return rounded(Fraction(100 * self.change, abs(self.first)), PERCENT_PLACES)


class Tally:
    """Sums up a balance in whole numbers, one stretch at a time."""

    def __init__(self) -> None:
        self.ends: tuple[Held, Held] | None = None
        self.least = self.most = 0
        # Sums over time of 1, t, t², amount, |amount|, amount² and t·amount; those
        # with t are kept doubled and tripled, so that they stay whole.
        self.time = self.time2 = self.time3 = 0
        self.sum = self.distance = self.square = self.moment2 = 0

    def add(self, stretch: Held | Block) -> None:
        """Add the next stretch, or the changes of a day."""
        self._add(block_of(stretch) if isinstance(stretch, Held) else stretch)

    def _add(self, block: Block) -> None:
        start, end = block.start, block.end
        begun = self.ends[0] if self.ends else Held(start, end, block.first)
        if self.ends is None:
            self.least, self.most = block.lowest, block.highest
        self.ends = begun, Held(start, end, block.last)
        self.least = min(self.least, block.lowest)
        self.most = max(self.most, block.highest)
        self.time += end - start
        self.time2 += end * end - start * start
        self.time3 += end**3 - start**3
        self.sum += block.area
        self.distance += block.distance
        self.square += block.squares
        self.moment2 += block.moments

    def trend(self) -> Trend:
        """Return what was added up."""
        if self.ends is None:
            return Trend()
        first, last = self.ends
        mean = Fraction(self.sum, self.time) if self.time else Fraction(last.amount)
        told = Trend(
            Direction.FLAT,
            strength=rounded(Fraction(0), PLACES),
            volatility=rounded(Fraction(0), PLACES),
            least=self.least,
            most=self.most,
            mean=round(mean),
            first=first.amount,
            last=last.amount,
            known=self.time,
        )
        return told if self.least == self.most or not self.time else self._moved(told)

    def _moved(self, still: Trend) -> Trend:
        """Return the trend of a balance that changed within the known time."""
        (first, last), time = self.ends, self.time
        # Each is `time` times the sum of squares around the averages.
        across = Fraction(time * self.time3, 3) - Fraction(self.time2**2, 4)
        along = Fraction(time * self.moment2 - self.time2 * self.sum, 2)
        spread = Fraction(time * self.square - self.sum**2)
        if not spread:  # it changed at the last moment, and was not held since
            return replace(still, direction=direction_of(still.change))
        slope = along / across
        distance = Fraction(self.distance, time)
        return replace(
            still,
            direction=direction_of(slope),
            strength=rounded(abs(slope) * (last.end - first.start) / distance, PLACES),
            r_squared=rounded(along**2 / (across * spread), PLACES),
            volatility=root(spread / time**2 / distance**2, PLACES),
        )


def block_of(stretch: Held) -> Block:
    """Return a stretch without a change as what is summed up."""
    start, end, amount = stretch
    area, squares = amount * (end - start), end * end - start * start
    return Block(
        start,
        end,
        *[amount] * 4,
        area=area,
        distance=abs(area),
        squares=amount * area,
        moments=amount * squares,
    )


def trend(points: Iterable[Point | Day], since: datetime, until: datetime) -> Trend:
    """Return the trend of a balance between two moments; see `held` for `points`."""
    tally = Tally()
    for stretch in held(points, since, until):
        tally.add(stretch)
    return tally.trend()


def direction_of(slope: Fraction | int) -> Direction:
    if not slope:
        return Direction.FLAT
    return Direction.INCREASING if slope > 0 else Direction.DECREASING


def rounded(value: Fraction, places: int) -> Decimal:
    """Return `value` with so many decimals, half to even."""
    return EXACT.scaleb(EXACT.create_decimal(round(value * 10**places)), -places)


def root(value: Fraction, places: int) -> Decimal:
    """Return the square root of `value` with so many decimals."""
    doubled = isqrt(value.numerator * 4 * 100**places // value.denominator)
    return EXACT.scaleb(EXACT.create_decimal((doubled + 1) // 2), -places)
