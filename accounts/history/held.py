"""A balance over time: it holds from one snapshot until the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

MICROSECOND = timedelta(microseconds=1)
Point = tuple[datetime, int | None]


class Held(NamedTuple):
    """A stretch in which a balance did not change, in µs since the window began."""

    start: int
    end: int
    amount: int  # minor units


def held(points: Iterable[Point], since: datetime, until: datetime) -> Iterator[Held]:
    """Yield what was held from `since` to `until`; what nobody knew is left out.

    `points` come oldest first: the amount held from a moment on, None where it became
    unknown. What was held before `since` is carried into the window.
    """
    length = (until - since) // MICROSECOND
    start, amount = 0, None
    for at, told in points:
        if at > until:
            break
        moment = max(0, (at - since) // MICROSECOND)
        # What was known of one moment only, such as the newest change, has no length.
        momentary = told is None and at >= since
        if amount is not None and (moment > start or momentary):
            yield Held(start, moment, amount)
        start, amount = moment, told
    if amount is not None and length >= 0:
        yield Held(start, length, amount)
