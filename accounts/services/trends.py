"""Where a balance is going: its figures and its picture, from what is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from accounts.history.course import Course
from accounts.history.held import MICROSECOND, Block, Day, Point, held
from accounts.history.trends import Tally, Trend, trend
from accounts.models import Account, Balance, Source

from .days import counted, days_until, held_before, known_of


@dataclass(frozen=True, slots=True)
class Seen:
    """A trend, of how many snapshots, and up to when it was read by the day."""

    trend: Trend
    count: int
    days_until: datetime | None


def trend_of(account: Account, since: datetime, until: datetime) -> Seen:
    """Return where the total went between two moments."""
    return Seen(
        trend(points(account, since, until), since, until),
        counted(account, since, until),
        days_until(account, since, until),
    )


def drawn(account: Account, since: datetime, until: datetime) -> tuple[Trend, Course]:
    """Return a trend with its picture, from one reading of the rows."""
    tally, course = Tally(), Course((until - since) // MICROSECOND)
    for stretch in held(points(account, since, until), since, until):
        tally.add(stretch)
        if isinstance(stretch, Block):
            course.add_day(stretch)
        else:
            course.add(stretch)
    return tally.trend(), course


def points(account: Account, since: datetime, until: datetime) -> Iterator[Point | Day]:
    """Yield the totals of a window, oldest first: what it began with, each change, the end.

    A balance holds until the next snapshot, the newest until it was confirmed last;
    from then on nobody knows.
    """
    last = held_before(account, since)
    if last is not None:
        yield last
    for told in known_of(account, since, until):
        yield told
        last = told.ends[-1] if isinstance(told, Day) else told
    yield from ending(account, last, until)


def ending(account: Account, last: Point | None, until: datetime) -> Iterator[Point]:
    """Yield what the balance itself adds to its newest snapshot, and where it ends."""
    balance: Balance | None = getattr(account, "balance", None)
    known = last[0] if last else None
    if balance is not None and balance.as_of <= until:
        if last is None or balance.as_of > last[0]:
            yield balance.as_of, balance.total
        known = max(filter(None, [known, confirmed(balance, until)]))
    later = account.snapshots.filter(as_of__gt=until)
    if known is not None and known < until and not later.exists():
        yield known, None


def confirmed(balance: Balance, until: datetime) -> datetime:
    """Return until when a balance is known; what was counted holds until counted anew."""
    counted = balance.source == Source.MANUAL
    return until if counted else max(balance.fetched_at, balance.as_of)
