from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.rules import TriggerError, TriggerSpec
from automation.rules.thresholds import Reading, crossed

START = datetime(2026, 1, 30, 12, tzinfo=UTC)
ABOVE = TriggerSpec("balance", account="a", above=100)
BELOW = TriggerSpec("balance", account="a", below=100)
LOOSE = TriggerSpec("balance", account="a", above=100, rearm=50)


def readings(*amounts):
    return [Reading(n, START + timedelta(minutes=i)) for i, n in enumerate(amounts)]


def follow(trigger, *amounts, armed=True):
    """Look after every reading, and return the keys of what fired."""
    fired = []
    for reading in readings(*amounts):
        armed, found = crossed(trigger, [reading], armed=armed, since=START)
        fired += [found.key] if found else []
    return fired


@pytest.mark.parametrize(
    ("trigger", "amounts", "times"),
    [
        (ABOVE, [99, 100], 0),  # strictly beyond
        (ABOVE, [100, 101, 102, 150], 1),
        (ABOVE, [101, 100, 101], 2),  # back at the threshold is back
        (BELOW, [101, 100, 99, 98, 0], 1),
        (BELOW, [99, 100, 99], 2),
        (BELOW, [99, 150, 99, 150, 99], 3),
        (LOOSE, [101, 60, 101, 51, 101], 1),  # it never came back far enough
        (LOOSE, [101, 50, 101], 2),
        (TriggerSpec("balance", account="a", below=0), [0, -1], 1),
        (TriggerSpec("balance", account="a", below=-50, rearm=0), [-51, -1, -51], 1),
    ],
)
def test_it_fires_once_for_each_crossing(trigger, amounts, times):
    fired = follow(trigger, *amounts)

    assert len(fired) == len(set(fired)) == times


def test_a_crossing_is_named_by_what_it_crossed_and_when_it_was_read():
    (key,) = follow(ABOVE, 101)

    assert key == "balance:a:above 100:2026-01-30T12:00:00Z"


def test_of_several_crossings_that_nobody_saw_the_newest_is_told():
    armed, found = crossed(ABOVE, readings(101, 99, 102, 99), armed=True, since=START)

    assert armed
    assert found.at == START + timedelta(minutes=2)


def test_what_is_beyond_already_when_it_is_written_counts_from_then():
    (reading,) = readings(500)
    later = START + timedelta(days=3)

    armed, found = crossed(ABOVE, [reading], armed=True, since=later)

    assert (armed, found.at) == (False, later)


def test_without_a_reading_nothing_is_decided():
    for armed in (True, False):
        assert crossed(ABOVE, [], armed=armed, since=START) == (armed, None)


def test_a_trigger_without_a_threshold_is_refused():
    with pytest.raises(TriggerError):
        crossed(TriggerSpec("balance"), readings(1), armed=True, since=START)


AMOUNTS = st.lists(st.integers(0, 8), max_size=30)


@given(AMOUNTS, st.integers(0, 8), st.integers(0, 8), st.booleans())
def test_looking_seldom_leaves_it_armed_as_looking_always_does(
    amounts, line, rearm, above
):
    side = {"above": line} if above else {"below": line}
    back = min(line, rearm) if above else max(line, rearm)
    trigger = TriggerSpec("balance", account="a", rearm=back, **side)

    at_once, newest = crossed(trigger, readings(*amounts), armed=True, since=START)
    armed, fired = True, []
    for reading in readings(*amounts):
        armed, found = crossed(trigger, [reading], armed=armed, since=START)
        fired += [found] if found else []

    assert at_once == armed
    assert newest == (fired[-1] if fired else None)
    assert len({each.key for each in fired}) == len(fired)
