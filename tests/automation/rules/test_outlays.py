"""What transfers leave open of what they were to make good: all of it, and only once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from automation.rules.outlays import REMEMBERED, Promise, left_open

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
AMOUNTS = st.integers(0, 10**6)
# What was spent since the run before, how much this one could move, and whether it did.
RUNS = st.lists(st.tuples(AMOUNTS, AMOUNTS, st.booleans()), max_size=20)


def planned(runs) -> list[Promise]:
    """Let each run move what is open by then, as far as it can."""
    made: list[Promise] = []
    for number, (spent, room, _) in enumerate(runs):
        at = NOW - (len(runs) - number) * HOUR
        moved = min(left_open(made, at) + spent, room)
        made.append(Promise(at, spent, moved))
    return made


@given(RUNS)
def test_what_is_open_is_all_that_was_spent_less_all_that_was_moved(runs):
    made = planned(runs)

    assert left_open(made, NOW) == sum(p.wanted - p.moved for p in made) >= 0


@given(RUNS)
def test_what_comes_to_nothing_later_is_open_again_and_nothing_else(runs):
    made = [
        p if stands else replace(p, moved=0)
        for p, (_, _, stands) in zip(planned(runs), runs, strict=True)
    ]

    assert left_open(made, NOW) == sum(p.wanted - p.moved for p in made) >= 0


def test_a_payment_that_turns_out_smaller_takes_nothing_from_another():
    corrected, other = Promise(NOW - 2 * HOUR, 4_00, 9_00), Promise(NOW, 7_00, 2_00)

    assert left_open([corrected, other], NOW) == 5_00


def test_what_was_left_open_is_remembered_for_a_hundred_days():
    short = Promise(NOW, 9_00, 2_00)

    assert left_open([short], NOW + REMEMBERED) == 7_00
    assert left_open([short], NOW + REMEMBERED + HOUR) == 0
