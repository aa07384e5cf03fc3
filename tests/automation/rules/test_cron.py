from __future__ import annotations

import pytest

from automation.rules import CronError, TriggerSpec, next_occurrence
from automation.rules.cron import parse_cron

from .clocks import days, first, utc


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 9 25 * *", ["2026-01-25", "2026-02-25"]),
        ("0 9 * * 1", ["2026-01-05", "2026-01-12"]),
        ("0 9 * * mon", ["2026-01-05", "2026-01-12"]),
        ("0 9 * * 0", ["2026-01-04", "2026-01-11"]),
        ("0 9 * * 7", ["2026-01-04", "2026-01-11"]),
        ("0 9 * * 5-7", ["2026-01-02", "2026-01-03"]),
        ("0 9 29 2 *", ["2028-02-29", "2032-02-29"]),
        ("0 9 1 JAN-mar/2 *", ["2026-01-01", "2026-03-01"]),
        ("0 9 13 * 5", ["2026-01-02", "2026-01-09"]),  # the 13th, or any Friday
        ("0 9 */10 * 4", ["2026-01-01", "2026-05-21"]),  # a star: both must hold
        ("0 9 31 * *", ["2026-01-31", "2026-03-31"]),  # cron skips, monthly does not
    ],
)
def test_cron_fires_on_the_days_of_its_expression(expression, expected):
    assert days(2, TriggerSpec("cron", expression=expression)) == expected


def test_cron_times_are_wall_clock_times_of_the_zone():
    trigger = TriggerSpec("cron", expression="*/20 9-10 1 7 *")

    found = first(7, trigger, after=utc(2026, 1, 1), zone="America/New_York")

    assert [f"{each.at:%H:%M}" for each in found] == [
        *("13:00", "13:20", "13:40", "14:00", "14:20", "14:40"),
        "13:00",
    ]


@pytest.mark.parametrize(
    "expression",
    [
        *("", "* * * *", "* * * * * *", "@daily", "60 * * * *", "* 24 * * *"),
        *("* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *"),
        *("*/0 * * * *", "1/5 * * * *", "a * * * *", "* * L * *", "* * * * 5#2"),
        *("-1 * * * *", "1,, * * * *", "* * ? * *", "٣ * * * *", "mon * * * *"),
        "1-99/3 * * * *",
    ],
)
def test_what_is_no_cron_expression_is_refused_by_name(expression):
    with pytest.raises(CronError):
        parse_cron(expression)


def test_a_date_that_never_comes_is_no_occurrence():
    trigger = TriggerSpec("cron", expression="0 0 30 2 *")

    assert next_occurrence(trigger, zone="UTC", after=utc(2026, 1, 1)) is None
