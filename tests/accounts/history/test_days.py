"""A day's figures stand for its snapshots: sums, extremes and ends are the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from accounts.history.course import Course
from accounts.history.held import MICROSECOND, Block, Day, held, midnight
from accounts.history.trends import trend

BEGAN = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
SPAN = 6 * 24 * 60 * 60 * 10**6  # µs
POINTS = st.lists(
    st.tuples(st.integers(0, SPAN), st.integers(-(10**30), 10**30)),
    max_size=30,
    unique_by=lambda point: point[0],
).map(lambda told: [(BEGAN + at * MICROSECOND, n) for at, n in sorted(told)])


def day_of(points: list) -> Day:
    """Return the figures of some points of one day, as they are defined."""
    began = midnight(points[0][0])
    sums = [0] * 4
    for (at, n), (end, _) in pairwise(points):
        a, b = ((moment - began) // MICROSECOND for moment in (at, end))
        parts = n * (b - a), abs(n) * (b - a), n * n * (b - a), n * (b * b - a * a)
        sums = [x + y for x, y in zip(sums, parts, strict=True)]
    amounts = [n for _, n in points]
    ends = points[0][0], points[-1][0], amounts[0], amounts[-1]
    return Day(*ends, min(amounts), max(amounts), *sums, count=len(points))


def by_day(points: list) -> list[Day]:
    return [day_of(list(some)) for _, some in groupby(points, lambda p: midnight(p[0]))]


@given(POINTS, st.integers(0, 10**12))
def test_trend_of_days_is_the_trend_of_their_snapshots(points, before):
    since = BEGAN - before * MICROSECOND
    until = BEGAN + SPAN * MICROSECOND

    assert trend(by_day(points), since, until) == trend(points, since, until)


@given(POINTS)
def test_picture_of_days_has_the_same_extremes_and_ends(points):
    until = BEGAN + timedelta(days=600)  # a column is longer than a day
    pictures = []
    for told in (points, by_day(points)):
        course = Course((until - BEGAN) // MICROSECOND)
        for stretch in held(told, BEGAN, until):
            draw = course.add_day if isinstance(stretch, Block) else course.add
            draw(stretch)
        pictures.append(list(course))

    plain, thin = pictures
    assert len(thin) <= len(plain)
    if plain:
        for name, choose in (("least", min), ("most", max)):
            values = [[getattr(c, name) for c in one] for one in pictures]
            assert choose(values[0]) == choose(values[1])
        assert (plain[0].at, plain[-1].last) == (thin[0].at, thin[-1].last)
