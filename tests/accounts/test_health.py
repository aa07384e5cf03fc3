from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.health import after_failure, after_success

CALM = {
    "health": "ok",
    "failures": 0,
    "ever_worked": True,
    "interval": 600,
    "jitter": 1.0,
}


def test_success_forgets_failures_and_waits_an_interval():
    assert after_success(600).next_in == 600
    assert (after_success(600).health, after_success(600).failures) == ("ok", 0)


def test_where_nobody_can_be_asked_there_is_no_next_time():
    assert after_success(None).next_in is None


def test_each_failure_in_a_row_waits_twice_as_long_up_to_a_limit():
    waits = [
        after_failure("unavailable", **CALM | {"failures": n}).next_in
        for n in (0, 1, 2, 3, 30)
    ]

    assert waits == [15, 30, 60, 120, 900]


def test_provider_that_asks_for_time_is_given_more_than_that():
    assert after_failure("rate_limited", **CALM, wait=1000).next_in == pytest.approx(
        1100
    )


@pytest.mark.parametrize(
    ("code", "before", "worked", "after"),
    [
        ("unavailable", "ok", True, "failing"),
        ("authentication_failed", "ok", True, "reconnect_needed"),
        ("consent_needed", "new", False, "awaiting_approval"),
        ("consent_needed", "new", True, "awaiting_approval"),  # connected again
        ("consent_needed", "failing", False, "awaiting_approval"),
        ("consent_needed", "ok", True, "reconnect_needed"),  # taken back
        # An outage does not change what a person has to do.
        ("unavailable", "awaiting_approval", False, "awaiting_approval"),
        ("unavailable", "reconnect_needed", True, "reconnect_needed"),
    ],
)
def test_failure_says_who_has_to_act(code, before, worked, after):
    told = CALM | {"health": before, "ever_worked": worked}

    assert after_failure(code, **told).health == after


def test_approval_is_looked_for_often_at_first_and_slowly_later():
    told = CALM | {"health": "awaiting_approval", "ever_worked": False}

    assert after_failure("consent_needed", **told).next_in == 20
    late = after_failure("consent_needed", **told | {"failures": 15})
    assert late.next_in == 300


@given(st.integers(0, 10_000), st.floats(1, 86_400), st.floats(0, 86_400))
def test_retry_is_never_at_once_and_never_earlier_than_asked(failures, interval, wait):
    told = CALM | {"failures": failures, "interval": interval, "jitter": None}

    outlook = after_failure("rate_limited", **told, wait=wait)

    assert outlook.next_in >= max(12, wait)
    assert outlook.next_in <= max(1.2 * max(interval, 900), 1.1 * wait)
