"""The worth of everything over time, one figure for each column of the picture."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from accounts.history.course import Column, Course, Run
from accounts.history.held import MICROSECOND
from providers.money import LARGEST, Asset

from .rates import Table, in_minor_units

COLUMNS = 250


class Sum(NamedTuple):
    """What all accounts of one asset held together at the end of one column.

    `whose` says which accounts these are: the same text for the same accounts.
    """

    at: int
    asset: Asset
    total: int  # minor units
    whose: str


def course(sums: Iterable[Sum], base: Asset, table: Table, length: timedelta) -> Course:
    """Return the course of the worth in `base`; `sums` come column by column.

    A line ends where an account joins or leaves: what follows is not comparable. What
    has no rate is left out all along.
    """
    drawn = Course(length // MICROSECOND, COLUMNS)
    worths: dict[Asset, Fraction | None] = {}
    before: list[tuple[Asset, str]] = []
    for at, group in groupby(sums, attrgetter("at")):
        value, whose = Fraction(), []
        for one in group:
            if one.asset not in worths:
                worths[one.asset] = per_minor(one.asset, base, table)
            worth = worths[one.asset]
            if worth is not None:
                value += one.total * worth
                whose.append((one.asset, one.whose))
        if whose and abs(value) <= LARGEST:
            extend(drawn, at, round(value), fresh=whose != before)
        before = whose
    return drawn


def extend(drawn: Course, at: int, amount: int, *, fresh: bool) -> None:
    """Add the amount of one column to a line, a `fresh` one if need be."""
    column = Column(at, amount, amount, amount)
    if fresh or not drawn.runs:
        drawn.runs.append(Run([column], at))
        return
    run = drawn.runs[-1]
    if run.columns[-1].last != amount:
        run.columns.append(column)
    run.end = at


def per_minor(asset: Asset, base: Asset, table: Table) -> Fraction | None:
    """Return what one minor unit of `asset` is worth in minor units of `base`."""
    worth = table.worth(asset.code, base.code)
    return None if worth is None else in_minor_units(worth.value, asset, base)


def moments(since: datetime, until: datetime) -> list[datetime]:
    """Return the moments that the columns stand for, both ends among them."""
    return [since + (until - since) * at / COLUMNS for at in range(COLUMNS + 1)]
