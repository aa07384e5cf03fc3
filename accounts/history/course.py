"""The course of a balance, thinned to what a picture can show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from .held import Block, Held

COLUMNS = 500
# The stretches of time that are drawn, by what they are called in an address.
LENGTHS = {
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "1y": timedelta(days=365),
}


@dataclass(slots=True)
class Column:
    """All that was held within one step of the picture's grid, in minor units."""

    at: int
    least: int
    most: int
    last: int

    def add(self, amount: int) -> None:
        self.least, self.most = min(self.least, amount), max(self.most, amount)
        self.last = amount


@dataclass(slots=True)
class Run:
    """Columns without a gap between them; the last amount holds until `end`."""

    columns: list[Column]
    end: int


class Course:
    """What was held over `length` µs, in at most so many columns however long it was.

    Every extreme stays, because a column keeps its least and its most.
    """

    def __init__(self, length: int, columns: int = COLUMNS) -> None:
        self.length, self.columns = max(1, length), columns
        self.runs: list[Run] = []
        self.until = 0  # µs

    def add(self, stretch: Held) -> None:
        """Add the next stretch."""
        at, end = self.column(stretch.start), self.column(stretch.end)
        run = self.runs[-1] if self.runs else None
        if run is None or (stretch.start > self.until and at > run.end):
            self.runs.append(Run([one(at, stretch.amount)], end))
        elif run.columns[-1].at == at:
            run.columns[-1].add(stretch.amount)
        else:
            run.columns.append(one(at, stretch.amount))
        self.runs[-1].end, self.until = end, stretch.end

    def add_day(self, day: Block) -> None:
        """Add the changes of a day: its extremes are drawn where it ends."""
        self.add(Held(day.start, day.end, day.first))
        self.add(Held(day.end, day.end, day.last))
        column = self.runs[-1].columns[-1]
        column.least = min(column.least, day.lowest)
        column.most = max(column.most, day.highest)

    def column(self, moment: int) -> int:
        return min(moment * self.columns // self.length, self.columns)

    def __iter__(self) -> Iterator[Column]:
        """Yield all columns, from left to right."""
        for run in self.runs:
            yield from run.columns


def one(at: int, amount: int) -> Column:
    return Column(at, amount, amount, amount)
