"""A balance over time: it holds from one snapshot until the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
Point = tuple[datetime, int | None]


class Held(NamedTuple):
    """A stretch in which a balance did not change, in µs since the window began."""

    start: int
    end: int
    amount: int  # minor units


class Block(NamedTuple):
    """The changes of one day together, from the first to the last, in such µs.

    The sums are over time, of what was held from its start until its end.
    """

    start: int
    end: int
    first: int
    last: int
    lowest: int
    highest: int
    area: int  # of the amount
    distance: int  # of how far it is from zero
    squares: int
    moments: int  # of the amount times the growth of the time squared


class Day(NamedTuple):
    """What is kept of one day (UTC); its sums count time from when the day began."""

    first_at: datetime
    last_at: datetime
    first: int
    last: int
    lowest: int
    highest: int
    area: int
    distance: int
    squares: int
    moments: int
    count: int = 1

    @property
    def ends(self) -> list[Point]:
        """The first and the last of its changes: what a part of the day can tell."""
        found = [(self.first_at, self.first), (self.last_at, self.last)]
        return found if self.last_at > self.first_at else found[:1]

    def block(self, since: datetime) -> Block:
        """Return the day as part of a window that began at `since`."""
        began = (midnight(self.first_at) - since) // MICROSECOND
        return Block(
            (self.first_at - since) // MICROSECOND,
            (self.last_at - since) // MICROSECOND,
            self.first,
            self.last,
            self.lowest,
            self.highest,
            self.area,
            self.distance,
            self.squares,
            self.moments + 2 * began * self.area,
        )


def midnight(moment: datetime) -> datetime:
    """Return when the day of `moment` began, in UTC."""
    return datetime.combine(moment.astimezone(UTC), time(), UTC)


def held(
    points: Iterable[Point | Day], since: datetime, until: datetime
) -> Iterator[Held | Block]:
    """Yield what was held from `since` to `until`; what nobody knew is left out.

    `points` come oldest first: the amount held from a moment on, None where it became
    unknown. What was held before `since` is carried into the window. A day stands for
    all its points; it lies within the window as a whole.
    """
    length = (until - since) // MICROSECOND
    start, amount = 0, None
    for point in points:
        at, told = point.ends[0] if isinstance(point, Day) else point
        if at > until:
            break
        moment = max(0, (at - since) // MICROSECOND)
        # What was known of one moment only, such as the newest change, has no length.
        momentary = told is None and at >= since
        if amount is not None and (moment > start or momentary):
            yield Held(start, moment, amount)
        start, amount = moment, told
        if isinstance(point, Day) and point.last_at > at:
            block = point.block(since)
            yield block
            start, amount = block.end, block.last
    if amount is not None and length >= 0:
        yield Held(start, length, amount)
