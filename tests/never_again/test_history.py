"""Defects of freshwaterbruce2/crypto-bot (a balance manager) in what it said of the past.

Each was run there, or read in its source; none may be ours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import localcontext

import pytest

from accounts.history.trends import trend
from accounts.models import BalanceSnapshot
from providers.money import Asset

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def went(*amounts: int):
    """Return the trend of a balance that was so much in each hour."""
    course = [(START + n * HOUR, amount) for n, amount in enumerate(amounts)]
    return trend(course, START, START + len(amounts) * HOUR)


def test_trend_direction_right():
    """100 to 190 was "decreasing": newest-first data was read as oldest-first."""
    up, down = went(*range(100, 200, 10)), went(*range(190, 90, -10))

    assert (up.direction, up.change) == ("increasing", 90)
    assert (down.direction, down.change) == ("decreasing", -90)


@pytest.mark.parametrize("unit", [1, 10**6, 25 * 10**24])
def test_small_unit_trend(unit):
    """A coin at 0.01 that rose by 9 % was "stable": the slope was not scaled."""
    rose = went(*(unit * n for n in range(100, 110)))

    assert rose.direction == "increasing"
    assert rose.strength == went(*range(100, 110)).strength
    assert rose.percent_change == 9


def test_unchanged_values_add_no_history(alice, bank):
    """Its history grew with every reading, though nothing had changed."""
    alice.fill(alice.main, 70_00)
    alice.sync()
    before = BalanceSnapshot.objects.count()

    for _ in range(3):
        alice.sync()

    assert BalanceSnapshot.objects.count() == before


def test_no_context_cuts_digits_off():
    """With a precision of 18 digits it cut 123456.123456789012345678 to 12 decimals."""
    with localcontext(prec=18):
        minor = Asset("TOKEN", 18).minor("123456.123456789012345678")
        assert Asset("TOKEN", 18).major(minor) == "123456.123456789012345678"
