"""Proof of a balance: what it was, what is known to have moved, and what nobody explains.

    closing = opening + known movements + unexplained

Amounts are minor units. What is unexplained stands alone: it is never added to anything
else, and what one stretch cannot explain is not spread over another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

Point = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one moment at which a balance is known to a later one.

    What moved at `since` itself belongs to the stretch before, what moved at `until`
    to this one.
    """

    since: datetime
    until: datetime
    opening: int
    known: int
    closing: int
    count: int  # of known movements

    @property
    def unexplained(self) -> int:
        return self.closing - self.opening - self.known


def prove(points: Sequence[Point], moved: Iterable[Point]) -> list[Stretch]:
    """Return the stretches between `points`, oldest first, each with what moved in it.

    `points` are what the balance was, and when; `moved` what is known to have moved.
    Both are oldest first. Movements outside the first and last point are left out.
    """
    left = iter(moved)
    found: list[Stretch] = []
    movement = next(left, None)
    for (since, opening), (until, closing) in pairwise(points):
        known = count = 0
        while movement is not None and movement[0] <= until:
            if movement[0] > since:
                known, count = known + movement[1], count + 1
            movement = next(left, None)
        found.append(Stretch(since, until, opening, known, closing, count))
    return found


def whole(stretches: Sequence[Stretch]) -> Stretch:
    """Return all of it, at least one stretch, as one."""
    first, last = stretches[0], stretches[-1]
    return Stretch(
        first.since,
        last.until,
        first.opening,
        sum(s.known for s in stretches),
        last.closing,
        sum(s.count for s in stretches),
    )


def unexplained(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """Yield the stretches in which something is not explained."""
    return (s for s in stretches if s.unexplained)
