"""Spans of time cover everything, whatever a list holds and however full it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.coinbase.history import UNSETTLED, Span
from providers.errors import UnexpectedResponse
from tests.fixtures_still import NOW

START = NOW - timedelta(days=30)
moments = st.datetimes(
    START.replace(tzinfo=None), NOW.replace(tzinfo=None), timezones=st.just(UTC)
)


def parsed(span):
    return {k: datetime.fromisoformat(v) for k, v in span.moments("from", "to")}


@given(made=st.lists(moments, max_size=60), most=st.integers(1, 20))
def test_every_row_is_in_a_span_and_none_is_asked_for_without_end(made, most):
    """Whether the moments asked for are themselves in a span makes no difference."""
    read, cursor, calls = set(), "", 0
    while True:
        span = Span.after(cursor, now=NOW, since=START)
        try:
            while len(found := within(made, span)) > most:
                span = span.halved()
        except UnexpectedResponse:
            assert crowded(made, most)
            return
        read |= set(found)
        cursor, calls = span.cursor, calls + 1
        if span.end is None:
            break

    assert read == set(made)
    assert calls <= 60 * (len(made) + 1)
    assert datetime.fromisoformat(cursor) == NOW - UNSETTLED


def within(made, span):
    """Return what a list gives that holds neither of the moments it is asked for."""
    asked = parsed(span)
    return [
        m
        for m in made
        if asked["from"] < m < asked.get("to", datetime.max.replace(tzinfo=UTC))
    ]


def crowded(made, most):
    """Say whether more was made within two seconds than one call reads."""
    ordered = sorted(made)
    return any(
        b - a < timedelta(seconds=2)
        for a, b in zip(ordered, ordered[most:], strict=False)
    )


def test_what_is_new_may_come_late_and_is_read_again():
    span = Span.after("", now=NOW, since=START)

    again = Span.after(span.cursor, now=NOW + timedelta(seconds=30), since=START)

    assert again.start == NOW - UNSETTLED
    assert again.end is None


def test_cursor_never_goes_back_when_the_clock_does():
    span = Span.after(
        "2026-01-31T11:58:00.000Z", now=NOW - timedelta(hours=1), since=START
    )

    assert span.cursor == "2026-01-31T11:58:00.000Z"


def test_second_with_too_much_in_it_has_a_name():
    span = Span.after("", now=NOW, since=NOW - timedelta(seconds=1))

    with pytest.raises(UnexpectedResponse):
        span.halved()
