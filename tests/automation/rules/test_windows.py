"""Date ranges that are tried on several days, and what was due last."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.rules import TriggerError, TriggerSpec, next_occurrence, occurrences
from automation.rules.triggers import newest_occurrence

from .clocks import LONDON, utc

HERE = ZoneInfo(LONDON)


def tries(count, window, after):
    found, last = [], after
    for _ in range(count):
        each = next_occurrence(window, zone=LONDON, after=last, tries=True)
        found.append((each.key[11:21], f"{each.at.astimezone(HERE):%Y-%m-%d}"))
        last = each.at
    return found


def test_each_day_of_a_window_is_tried_in_the_name_of_its_first():
    window = TriggerSpec("date_range", start_day=30, end_day=1)

    assert tries(6, window, utc(2026, 1, 30, 12)) == [
        ("2026-01-30", "2026-01-31"),
        ("2026-01-30", "2026-02-01"),
        ("2026-02-28", "2026-02-28"),
        ("2026-02-28", "2026-03-01"),
        ("2026-03-30", "2026-03-30"),
        ("2026-03-30", "2026-03-31"),
    ]


def test_a_window_ends_where_the_next_one_begins():
    window = TriggerSpec("date_range", start_day=31, end_day=30)

    # February's window begins on its last day, when January's would still be open.
    assert tries(3, window, utc(2026, 2, 26, 12)) == [
        ("2026-01-31", "2026-02-27"),
        ("2026-02-28", "2026-02-28"),
        ("2026-02-28", "2026-03-01"),
    ]


def test_a_window_without_an_end_is_refused():
    with pytest.raises(TriggerError):
        next_occurrence(
            TriggerSpec("date_range", start_day=1), zone=LONDON, after=utc(2026, 1, 1)
        )


DAYS = st.integers(1, 31)


@given(DAYS, DAYS, st.dates(date(2020, 1, 1), date(2032, 1, 1)))
def test_windows_follow_each_other_without_overlap(start, end, day):
    window = TriggerSpec("date_range", start_day=start, end_day=end, hour=12)
    after = datetime(day.year, day.month, day.day, tzinfo=HERE)
    until = after + timedelta(days=100)
    last, found = after, []
    while True:
        each = next_occurrence(window, zone=LONDON, after=last, tries=True)
        if each.at > until:
            break
        found, last = [*found, each], each.at

    local = [each.at.astimezone(HERE).date() for each in found]
    assert len(local) == len(set(local))
    firsts = [
        (each.key, each.at.astimezone(HERE).date())
        for each in occurrences(window, zone=LONDON, after=after, until=until)
    ]
    named = dict(firsts)
    tried = dict(zip(local, found, strict=True))
    # Every first day is tried, every other try follows the day before it.
    assert {day for _, day in firsts} <= set(local)
    for day, each in tried.items():
        if each.key in named and day != named[each.key]:
            assert tried[day - timedelta(1)].key == each.key


CRONS = ["* * * * *", "*/7 9 * * *", "0 0 1 * *", "30 1 * * *", "15 4 29 2 *"]


@given(
    st.sampled_from(CRONS),
    st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 30)),  # noqa: DTZ001
    st.sampled_from([5, 100, 3000, 60_000]),
)
def test_the_newest_occurrence_is_the_last_of_them_all(expression, moment, minutes):
    trigger = TriggerSpec("cron", expression=expression)
    until = moment.replace(tzinfo=HERE)
    after = until - timedelta(minutes=minutes)
    span = {"zone": LONDON, "after": after, "until": until}

    newest = newest_occurrence(trigger, **span)

    if expression == "* * * * *" and minutes > 100:
        assert until - newest.at < timedelta(minutes=1)
    else:
        every = list(occurrences(trigger, **span))
        assert newest == (every[-1] if every else None)
