"""When a day begins, also where the clock jumps over midnight."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from automation.rules.localtime import instant, midnight

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
