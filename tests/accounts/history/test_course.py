"""A picture of a balance: few columns, every extreme, gaps where nobody knew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from accounts.history.course import COLUMNS, Column, Course
from accounts.history.held import Held

STRETCHES = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 50), st.integers(-(10**30), 10**30)),
    min_size=1,
    max_size=60,
)


def laid(parts) -> list[Held]:
    found, at = [], 0
    for gap, long, amount in parts:
        found.append(Held(at + gap, at + gap + long, amount))
        at += gap + long
    return found


@given(STRETCHES, st.integers(1, 40))
def test_few_columns_keep_every_extreme_and_the_last_amount(parts, columns):
    stretches = laid(parts)
    course = Course(stretches[-1].end, columns)
    for stretch in stretches:
        course.add(stretch)
    drawn, amounts = list(course), [s.amount for s in stretches]

    assert len(drawn) <= columns + 1
    assert [c.at for c in drawn] == sorted({c.at for c in drawn})
    assert min(c.least for c in drawn) == min(amounts)
    assert max(c.most for c in drawn) == max(amounts)
    assert (drawn[0].at, drawn[-1].last) == (
        course.column(stretches[0].start),
        amounts[-1],
    )
    assert course.runs[-1].end == course.column(stretches[-1].end)


@given(STRETCHES)
def test_gap_that_can_be_seen_is_a_gap_and_none_is_made_up(parts):
    stretches = laid(parts)
    length = stretches[-1].end
    course = Course(length, length)  # a column for each moment
    for stretch in stretches:
        course.add(stretch)

    known = {t for s in stretches for t in range(s.start, s.end)}
    drawn = {t for run in course.runs for t in range(run.columns[0].at, run.end)}
    assert drawn == known


def test_hundred_thousand_changes_become_few_columns():
    course = Course(100_000)
    for at in range(100_000):
        course.add(Held(at, at + 1, at % 977))

    assert len(list(course)) == COLUMNS
    assert next(iter(course)) == Column(0, 0, 199, 199)
