from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.rules import (
    CalendarError,
    TriggerError,
    TriggerSpec,
    ZoneError,
    next_occurrence,
    occurrences,
)

from .clocks import LONDON, days, first, utc

ZONES = [
    LONDON,
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Europe/Dublin",
    "America/Sao_Paulo",
    "Pacific/Chatham",
    "UTC",
]


# Months


def test_day_31_is_the_last_day_of_a_month_without_one_also_in_february():
    assert days(5, TriggerSpec("monthly", day="31")) == [
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
        "2026-05-31",
    ]


@pytest.mark.parametrize("day", ["29", "30", "31", "last"])
def test_february_of_a_leap_year_has_its_29th(day):
    trigger = TriggerSpec("monthly", day=day)

    assert days(1, trigger, after=utc(2028, 2, 1)) == ["2028-02-29"]


def test_hour_and_minute_default_to_nine_local():
    winter, summer = (
        next_occurrence(TriggerSpec("daily"), zone=LONDON, after=utc(2026, month, 1))
        for month in (1, 7)
    )

    assert (winter.at, summer.at) == (utc(2026, 1, 1, 9), utc(2026, 7, 1, 8))


def test_nth_5_skips_months_without_one_and_last_never_does():
    fifth = TriggerSpec("monthly", weekday=5, nth="5")
    last = TriggerSpec("monthly", weekday=5, nth="last")

    assert days(3, fifth) == ["2026-01-30", "2026-05-29", "2026-07-31"]
    assert days(3, last) == ["2026-01-30", "2026-02-27", "2026-03-27"]


@pytest.mark.parametrize("nth", ["1", 1])
def test_weekday_1_is_monday(nth):
    assert days(1, TriggerSpec("monthly", weekday=1, nth=nth)) == ["2026-01-05"]
    assert days(2, TriggerSpec("weekly", weekday=1)) == ["2026-01-05", "2026-01-12"]
    assert days(1, TriggerSpec("weekly", weekday=7)) == ["2026-01-04"]


@pytest.mark.parametrize(
    ("shift", "calendar", "expected"),
    [
        # 1 January 2028 is a Saturday; Monday the 3rd is the substitute holiday.
        ("none", "GB-ENG", "2028-01-01"),
        ("previous", "GB-ENG", "2027-12-31"),
        ("next", "GB-ENG", "2028-01-04"),
        ("next", "", "2028-01-03"),  # without a calendar only weekends rest
        ("next", "GB-SCT", "2028-01-05"),  # Scotland rests one day more
    ],
)
def test_a_business_day_shift_follows_the_calendar_and_may_leave_the_month(
    shift, calendar, expected
):
    trigger = TriggerSpec("monthly", day="1", business_day=shift, calendar=calendar)

    assert days(1, trigger, after=utc(2027, 12, 15)) == [expected]


def test_a_shift_to_the_next_month_is_found_from_within_that_month():
    trigger = TriggerSpec("monthly", day="31", business_day="next")

    # 31 January 2026 is a Saturday, so it fires on Monday 2 February.
    assert days(2, trigger, after=utc(2026, 2, 1)) == ["2026-02-02", "2026-03-02"]


def test_the_key_names_the_period_also_when_a_holiday_moves_the_day():
    trigger = TriggerSpec("monthly", day="31", business_day="previous")

    (found,) = first(1, trigger, after=utc(2026, 1, 20))

    assert found.at == utc(2026, 1, 30, 9)
    assert found.key == "monthly:2026-01-31T09:00 Europe/London"
    assert "moved from 2026-01-31" in found.reason


def test_good_friday_is_no_business_day_in_england_but_is_one_in_the_us():
    for calendar, expected in (("GB-ENG", "2026-04-07"), ("US", "2026-04-03")):
        trigger = TriggerSpec(
            "monthly", day="3", business_day="next", calendar=calendar
        )
        assert days(1, trigger, after=utc(2026, 4, 1)) == [expected]


def test_a_date_range_fires_once_per_window_also_when_it_wraps_the_month_end():
    window = TriggerSpec("date_range", start_day=28, end_day=2)

    assert days(3, window, after=utc(2026, 1, 29)) == [
        "2026-02-28",
        "2026-03-28",
        "2026-04-28",
    ]


# Clocks that jump


@pytest.mark.parametrize(
    ("zone", "hour", "minute", "after", "expected"),
    [
        # 01:00 becomes 02:00: the first valid instant is 02:00 BST.
        (LONDON, 1, 30, utc(2026, 3, 29), utc(2026, 3, 29, 1)),
        (LONDON, 1, 0, utc(2026, 3, 29), utc(2026, 3, 29, 1)),
        (LONDON, 2, 0, utc(2026, 3, 29), utc(2026, 3, 29, 1)),
        ("America/New_York", 2, 30, utc(2026, 3, 8, 5), utc(2026, 3, 8, 7)),
        # Half an hour: 02:00 becomes 02:30.
        ("Australia/Lord_Howe", 2, 15, utc(2026, 10, 3, 14), utc(2026, 10, 3, 15, 30)),
        # The whole of 30 December 2011 was left out.
        ("Pacific/Apia", 9, 0, utc(2011, 12, 30), utc(2011, 12, 30, 10)),
    ],
)
def test_a_time_in_a_gap_fires_at_the_first_valid_instant_after(
    zone, hour, minute, after, expected
):
    trigger = TriggerSpec("daily", hour=hour, minute=minute)

    assert next_occurrence(trigger, zone=zone, after=after).at == expected


def test_a_repeated_hour_fires_once_the_first_time():
    trigger = TriggerSpec("daily", hour=1, minute=30)

    found = first(2, trigger, after=utc(2026, 10, 24, 12))

    assert [each.at for each in found] == [
        utc(2026, 10, 25, 0, 30),
        utc(2026, 10, 26, 1, 30),
    ]


def test_nothing_fires_again_when_asked_within_the_repeated_hour():
    trigger = TriggerSpec("daily", hour=1, minute=30)

    found = next_occurrence(trigger, zone=LONDON, after=utc(2026, 10, 25, 1, 10))

    assert found.at == utc(2026, 10, 26, 1, 30)


def test_several_times_in_one_gap_fire_once_together():
    every_quarter = TriggerSpec("cron", expression="*/15 * * * *")

    found = first(3, every_quarter, after=utc(2026, 3, 29, 0, 45))

    assert [each.at for each in found] == [
        utc(2026, 3, 29, 1),
        utc(2026, 3, 29, 1, 15),
        utc(2026, 3, 29, 1, 30),
    ]


def test_hourly_counts_elapsed_time_through_a_repeated_hour():
    found = first(4, TriggerSpec("hourly"), after=utc(2026, 10, 24, 23, 30))

    assert [each.at.hour for each in found] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("zone", "minute"), [(LONDON, 0), ("Asia/Kolkata", 30), ("Asia/Kathmandu", 15)]
)
def test_hourly_fires_at_the_full_hour_of_the_local_clock(zone, minute):
    found = next_occurrence(TriggerSpec("hourly"), zone=zone, after=utc(2026, 5, 1))

    assert found.at.minute == minute


def test_an_interval_counts_from_its_anchor_and_not_before_it():
    anchor = utc(2026, 1, 1, 0, 7)
    trigger = TriggerSpec("interval", minutes=50, anchor=anchor)

    assert next_occurrence(trigger, zone=LONDON, after=utc(2025, 6, 1)).at == anchor
    found = next_occurrence(trigger, zone=LONDON, after=anchor)
    assert found.at == utc(2026, 1, 1, 0, 57)
    assert found.key == "interval:2026-01-01T00:57:00Z"


# Errors


def test_what_cannot_be_scheduled_is_refused_by_name():
    after = utc(2026, 1, 1)
    with pytest.raises(TriggerError):
        next_occurrence(TriggerSpec("payday"), zone=LONDON, after=after)
    with pytest.raises(TriggerError):
        next_occurrence(TriggerSpec("weekly"), zone=LONDON, after=after)
    with pytest.raises(TriggerError):
        next_occurrence(TriggerSpec("interval", minutes=5), zone=LONDON, after=after)
    with pytest.raises(TriggerError):
        naive = after.replace(tzinfo=None)
        next_occurrence(TriggerSpec("daily"), zone=LONDON, after=naive)
    with pytest.raises(ZoneError):
        next_occurrence(TriggerSpec("daily"), zone="Europe", after=after)
    with pytest.raises(CalendarError):
        lost = TriggerSpec("monthly", day="1", business_day="next", calendar="XX")
        next_occurrence(lost, zone=LONDON, after=after)


def test_the_end_of_time_has_no_occurrence():
    for trigger in (
        TriggerSpec("daily"),
        TriggerSpec("weekly", weekday=3),
        TriggerSpec("monthly", day="1"),
        TriggerSpec("cron", expression="0 0 * * *"),
        TriggerSpec("date_range", start_day=1, end_day=2),
    ):
        assert next_occurrence(trigger, zone=LONDON, after=utc(9999, 6, 1)) is None


# Properties


CLOCKS = {"hour": st.integers(0, 23), "minute": st.integers(0, 59)}
WEEKDAYS = st.integers(1, 7)
SHIFTS = {
    "business_day": st.sampled_from(["none", "previous", "next"]),
    "calendar": st.sampled_from(["", "GB-ENG", "US", "JP"]),
}
TRIGGERS = st.one_of(
    st.builds(TriggerSpec, st.just("daily"), **CLOCKS),
    st.builds(TriggerSpec, st.just("weekly"), weekday=WEEKDAYS, **CLOCKS),
    st.builds(
        TriggerSpec,
        st.just("monthly"),
        day=st.sampled_from(["1", "15", "29", "30", "31", "last"]),
        **CLOCKS,
        **SHIFTS,
    ),
    st.builds(
        TriggerSpec,
        st.just("monthly"),
        weekday=WEEKDAYS,
        nth=st.sampled_from(["1", "4", "5", "last"]),
        **CLOCKS,
        **SHIFTS,
    ),
    st.builds(
        TriggerSpec,
        st.just("cron"),
        expression=st.sampled_from(
            ["*/30 0-4 * * *", "0 2 * * 0", "30 1,2 * 3,10,11 *", "15 */6 * * *"]
        ),
    ),
    st.builds(TriggerSpec, st.just("hourly"), minute=st.integers(0, 59)),
    st.builds(
        TriggerSpec,
        st.just("interval"),
        minutes=st.integers(1, 5000),
        anchor=st.just(utc(2020, 2, 29, 23, 59)),
    ),
)
MOMENTS = st.datetimes(
    datetime(2009, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2035, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@settings(max_examples=400, deadline=None)
@given(TRIGGERS, st.sampled_from(ZONES), MOMENTS)
def test_schedules_run_forward_with_a_new_key_each_time(trigger, zone, after):
    found = first(6, trigger, after=after, zone=zone)

    assert len({each.key for each in found}) == len(found) == 6
    assert found[0].at > after
    assert all(one.at < two.at for one, two in pairwise(found))
    assert all(each.at.tzinfo is UTC for each in found)


@settings(max_examples=300, deadline=None)
@given(TRIGGERS, st.sampled_from(ZONES), MOMENTS, st.floats(0, 1))
def test_asking_at_any_moment_in_between_finds_the_same_occurrence(
    trigger, zone, after, share
):
    expected = next_occurrence(trigger, zone=zone, after=after)
    between = after + (expected.at - after) * share

    found = next_occurrence(
        trigger, zone=zone, after=min(between, expected.at - timedelta(microseconds=1))
    )

    assert found == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("hour", "minute"), [(0, 0), (1, 30), (2, 0), (2, 30), (23, 59)]
)
def test_every_local_day_has_one_occurrence_of_a_daily_trigger(zone, hour, minute):
    trigger = TriggerSpec("daily", hour=hour, minute=minute)
    start = datetime(2010, 12, 31, 12, tzinfo=ZoneInfo(zone))
    until = datetime(2012, 12, 31, 12, tzinfo=ZoneInfo(zone))

    found = list(occurrences(trigger, zone=zone, after=start, until=until))

    labels = [each.key.split(":")[1][:10] for each in found]
    expected = date(2011, 1, 1) if (hour, minute) < (12, 0) else date(2010, 12, 31)
    wanted = [(expected + timedelta(n)).isoformat() for n in range(731)]
    if (zone, hour, minute) == ("Pacific/Apia", 0, 0):
        # 30 December was left out, so its midnight is that of the 31st: once is enough.
        wanted.remove("2011-12-31")
    assert labels == wanted
