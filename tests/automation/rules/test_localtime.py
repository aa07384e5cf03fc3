"""When a day begins, also where the clock jumps over midnight."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from automation.rules.localtime import day_of, instant, midnight

LONDON, HAVANA, CAIRO = map(
    ZoneInfo, ("Europe/London", "America/Havana", "Africa/Cairo")
)


def test_a_day_begins_at_its_own_midnight_and_not_at_that_of_utc():
    begun = midnight(datetime(2026, 7, 1, 23, 30, tzinfo=UTC), LONDON)

    assert begun == datetime(2026, 7, 1, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        (CAIRO, date(2026, 4, 24)),  # it begins at 01:00: there is no midnight
        (HAVANA, date(2026, 11, 1)),  # midnight comes twice, the first one counts
    ],
)
def test_a_day_begins_with_its_first_instant_where_the_clock_jumps(zone, day):
    begun = midnight(instant(day, 12, 0, zone), zone)

    assert begun.astimezone(zone).date() == day
    before = (begun - timedelta(microseconds=1)).astimezone(zone)
    assert before.date() == day - timedelta(days=1)


@pytest.mark.parametrize(("month", "hours"), [(3, 23), (7, 24), (10, 25)])
def test_a_day_ends_where_the_next_one_begins_however_long_it_is(month, hours):
    day = {3: 29, 7: 1, 10: 25}[month]
    begins, ends = day_of(datetime(2026, month, day, 12, tzinfo=UTC), LONDON)

    assert ends - begins == timedelta(hours=hours)
    assert midnight(ends, LONDON) == ends


def test_the_last_day_there_is_ends_with_time():
    last = datetime(9999, 12, 31, 9, tzinfo=UTC)

    assert day_of(last, LONDON)[0] < last < day_of(last, LONDON)[1]
