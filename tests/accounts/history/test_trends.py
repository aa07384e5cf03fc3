"""Where a balance goes: laws of the arithmetic, and cases worked out by hand."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.history.held import Held, held
from accounts.history.trends import Direction, Tally, trend

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SCALE_FREE = (
    "direction",
    "strength",
    "r_squared",
    "volatility",
    "percent_change",
    "known",
)
AMOUNTS = st.integers(-(10**30), 10**30)
GAPS = st.lists(st.integers(1, 10**13), min_size=1, max_size=12)  # µs


def courses(amounts=AMOUNTS):
    """Stretches, each as long as chance wants, one after the other."""
    pairs = st.tuples(st.integers(1, 10**13), amounts)
    return st.lists(pairs, min_size=1, max_size=12).map(laid)


def laid(pairs) -> list[Held]:
    found, at = [], 0
    for long, amount in pairs:
        found.append(Held(at, at + long, amount))
        at += long
    return found


def told(course):
    tally = Tally()
    for stretch in course:
        tally.add(stretch)
    return tally.trend()


def sampled(course):
    """The same figures in another way: centred, stretch by stretch, as fractions."""
    time = sum(e - s for s, e, _ in course)
    middle = Fraction(sum((e - s) * (s + e) for s, e, _ in course), 2 * time)
    mean = Fraction(sum((e - s) * v for s, e, v in course), time)
    along = (
        sum((v - mean) * ((e - middle) ** 2 - (s - middle) ** 2) for s, e, v in course)
        / 2
    )
    across = sum((e - middle) ** 3 - (s - middle) ** 3 for s, e, _ in course) / 3
    spread = sum((e - s) * (v - mean) ** 2 for s, e, v in course)
    return mean, along, across, spread


@given(courses())
def test_figures_are_those_of_the_textbook(course):
    mean, along, across, spread = sampled(course)
    found = told(course)

    assert found.mean == round(mean)
    assert (
        found.direction
        == {1: "increasing", 0: "flat", -1: "decreasing"}[(along > 0) - (along < 0)]
    )
    if spread:
        exact = along**2 / (across * spread)
        assert abs(Fraction(found.r_squared) - exact) <= Fraction(1, 2 * 10**6)
        assert 0 <= found.r_squared <= 1
        distance = sum((e - s) * abs(v) for s, e, v in course) / sum(
            Fraction(e - s) for s, e, _ in course
        )
        strength = abs(along / across) * course[-1].end / distance
        assert abs(Fraction(found.strength) - strength) <= Fraction(1, 2 * 10**6)
        variance = spread / course[-1].end / distance**2
        low = max(0, Fraction(found.volatility) - Fraction(1, 2 * 10**6)) ** 2
        high = (Fraction(found.volatility) + Fraction(1, 2 * 10**6)) ** 2
        assert low <= variance <= high


@given(courses())
def test_reversal_flips_the_direction_and_nothing_that_is_free_of_it(course):
    end = course[-1].end
    back = [Held(end - e, end - s, v) for s, e, v in reversed(course)]
    forth, mirrored = told(course), told(back)
    flipped = {"increasing": "decreasing", "decreasing": "increasing", "flat": "flat"}

    assert mirrored.direction == flipped[forth.direction]
    assert mirrored.change == -forth.change
    for name in ("strength", "r_squared", "volatility", "least", "most", "mean"):
        assert getattr(mirrored, name) == getattr(forth, name)


@given(courses(), st.integers(0, 30))
def test_scale_of_the_asset_changes_nothing_that_is_free_of_it(course, decimals):
    larger = [Held(s, e, v * 10**decimals) for s, e, v in course]
    small, large = told(course), told(larger)

    for name in SCALE_FREE:
        assert getattr(large, name) == getattr(small, name)
    for name in ("least", "most", "first", "last", "change"):
        assert getattr(large, name) == getattr(small, name) * 10**decimals


@given(courses(), st.integers(1, 10**6))
def test_speed_of_time_changes_nothing_but_the_known_time(course, factor):
    slower = [Held(s * factor, e * factor, v) for s, e, v in course]

    for name in ("direction", "strength", "r_squared", "volatility", "mean", "change"):
        assert getattr(told(slower), name) == getattr(told(course), name)


@given(courses(), AMOUNTS)
def test_money_that_lay_there_all_the_time_keeps_the_direction(course, more):
    raised = [Held(s, e, v + more) for s, e, v in course]
    before, after = told(course), told(raised)

    assert (after.direction, after.r_squared) == (before.direction, before.r_squared)
    assert (after.change, after.mean) == (before.change, round(sampled(raised)[0]))


@given(courses(), st.data())
def test_snapshot_that_says_nothing_new_changes_nothing(course, data):
    index = data.draw(st.integers(0, len(course) - 1))
    start, end, amount = course[index]
    cut = data.draw(st.integers(start, end))
    parts = [Held(start, cut, amount), Held(cut, end, amount)]

    assert told([*course[:index], *parts, *course[index + 1 :]]) == told(course)


@given(AMOUNTS, GAPS)
def test_constant_balance_is_flat_and_not_volatile(amount, gaps):
    found = told(laid([(gap, amount) for gap in gaps]))

    assert found.direction == Direction.FLAT
    assert (found.volatility, found.strength, found.r_squared) == (0, 0, None)
    assert found.least == found.most == found.mean == found.first == amount
    assert found.change == 0


@given(st.lists(st.tuples(st.integers(1, 10**13), AMOUNTS), min_size=2, max_size=12))
def test_balance_that_only_rises_is_increasing(pairs):
    rising = laid(zip([g for g, _ in pairs], sorted(v for _, v in pairs), strict=True))
    found = told(rising)

    rises = rising[0].amount < rising[-1].amount
    assert found.direction == ("increasing" if rises else "flat")
    assert found.change >= 0


@given(courses())
def test_mean_lies_between_least_and_most(course):
    found = told(course)

    assert found.least <= found.mean <= found.most
    assert found.least <= found.first <= found.most
    assert found.least <= found.last <= found.most


def days(*amounts):
    return [(START + n * DAY, amount) for n, amount in enumerate(amounts)]


def over(points, length):
    return trend(points, START, START + length * DAY)


@pytest.mark.parametrize("unit", [1, 10**2, 10**6, 10**18])
def test_nine_percent_more_is_nine_percent_for_a_hundredth_and_for_millions(unit):
    found = over(days(100 * unit, 109 * unit), 2)

    assert found.direction == "increasing"
    assert found.percent_change == Decimal("9.0000")
    assert found.strength == Decimal("0.129187")  # 3/2 of 9, of 104.5
    assert found.r_squared == Decimal("0.750000")
    assert found.volatility == Decimal("0.043062")  # 4.5 of 104.5


def test_hundred_that_became_hundred_and_ninety_increased():
    found = over(days(*range(100, 200, 10)), 10)

    assert (found.direction, found.change) == ("increasing", 90)
    assert found.percent_change == 90


def test_busy_minute_weighs_a_minute():
    minute = timedelta(minutes=1)
    noise = [(START + DAY + minute * n / 20, 900 - n) for n in range(20)]
    found = over([(START, 100), *noise, (START + DAY + minute, 100)], 2)

    assert found.mean == round(
        Fraction(100 * 2879 * 20 + sum(v for _, v in noise), 2880 * 20)
    )
    assert (found.least, found.most, found.change) == (100, 900, 0)


def test_mean_is_rounded_half_to_even():
    assert over(days(1, 2), 2).mean == 2
    assert over(days(2, 3), 2).mean == 2
    assert over(days(-1, -2), 2).mean == -2


def test_what_was_held_before_the_window_is_carried_into_it():
    found = over([(START - 9 * DAY, 70), (START - 3 * DAY, 50), (START + DAY, 80)], 2)

    assert (found.first, found.last, found.mean) == (50, 80, 65)
    assert found.known == 2 * DAY // timedelta(microseconds=1)


def test_what_nobody_knew_counts_for_nothing():
    found = over([(START, 10), (START + DAY, None), (START + 9 * DAY, 40)], 10)

    assert (found.mean, found.least, found.change) == (25, 10, 30)
    assert found.known == 2 * DAY // timedelta(microseconds=1)


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(START + 3 * DAY, 5)],  # later than the window
        [(START - DAY, 5), (START - DAY / 2, None)],
    ],
)
def test_window_of_which_nothing_is_known_has_no_figures_and_no_zero(points):
    found = over(points, 2)

    assert found.direction == "unknown"
    assert {getattr(found, f.name) for f in fields(found)} == {"unknown", None, 0}
    assert found.known == 0
    assert (found.change, found.percent_change) == (None, None)


def test_change_at_the_last_moment_has_a_direction_and_no_weight():
    found = over(days(10, 10, 40), 2)

    assert (found.direction, found.change, found.mean) == ("increasing", 30, 10)
    assert (found.strength, found.volatility, found.r_squared) == (0, 0, None)


def test_balance_known_at_one_moment_only_is_that_balance():
    found = over([(START + 2 * DAY, 7)], 2)

    assert (found.direction, found.mean, found.first, found.known) == ("flat", 7, 7, 0)


def test_newest_change_is_known_though_it_was_not_confirmed_since():
    found = over([(START, 10), (START + DAY, 40), (START + DAY, None)], 2)

    assert (found.last, found.most, found.direction) == (40, 40, "increasing")


def test_nothing_is_no_base_for_a_percentage():
    assert over(days(0, 5), 2).percent_change is None
    assert over(days(-100, -50), 2).percent_change == 50  # half of the debt is gone


def test_empty_account_is_not_volatile():
    assert over(days(0, 0), 2).volatility == 0


@given(st.lists(st.tuples(st.integers(-50, 150), st.none() | AMOUNTS), max_size=20))
def test_stretches_lie_in_the_window_in_order_without_overlap(points):
    moments = sorted({at: amount for at, amount in points}.items())
    length = timedelta(microseconds=100)
    line = [(START + timedelta(microseconds=at), amount) for at, amount in moments]
    found = list(held(line, START, START + length))

    assert all(0 <= s <= e <= 100 for s, e, _ in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    for at in range(100):
        known = [amount for moment, amount in moments if moment <= at]
        covering = [v for s, e, v in found if s <= at < e]
        assert covering == [v for v in known[-1:] if v is not None]
