from __future__ import annotations

import os
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

import providers
from providers.base import Limit
from providers.drivers import gates, policy
from providers.drivers.queueing import Nonces
from providers.drivers.rations import digest
from providers.drivers.turns import Turns
from providers.errors import (
    AuthenticationFailed,
    OutcomeUnknown,
    Unavailable,
    UnexpectedResponse,
)
from providers.waiting import LONGEST_HOLD, wait_asked
from providers.wire import Request, Response

from .conftest import GET, PAY, Bank

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def answer(status: int, **headers: str) -> Response:
    return Response(status, {k.replace("_", "-"): v for k, v in headers.items()}, b"")


class Limited(Bank):
    limits = {"api": Limit(100, 1.0)}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("999999999999999999", LONGEST_HOLD),
        ("9" * 5000, LONGEST_HOLD),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=999), usegmt=True), LONGEST_HOLD),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("\u0661\u0662", None),  # digits, but not ASCII's
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    assert wait_asked(answer(429, retry_after=text), NOW) == seconds


@given(st.text(max_size=60))
def test_retry_after_of_any_text_is_a_bounded_wait_or_none(text):
    found = wait_asked(answer(429, retry_after=text), NOW)

    assert found is None or 0 <= found <= LONGEST_HOLD


@given(st.integers(100, 599), st.integers(1, 10))
def test_what_may_move_money_is_never_repeated(status, attempt):
    assert policy.repeat_after(PAY, answer(status), attempt) is None
    assert policy.repeat_after(PAY, OutcomeUnknown(), attempt) is None
    assert policy.repeat_after(PAY, Unavailable(), attempt) is None


@given(st.integers(100, 599), st.integers(1, 10))
def test_reads_are_repeated_after_trouble_only_and_not_for_ever(status, attempt):
    repeated = policy.repeat_after(GET, answer(status), attempt) is not None

    trouble = status == 429 or status >= 500
    assert repeated == (trouble and attempt < policy.ATTEMPTS)


def test_pauses_grow_and_differ():
    first, second = (
        {policy.repeat_after(GET, Unavailable(), attempt) for _ in range(50)}
        for attempt in (1, 2)
    )

    assert len(first) > 1
    assert sum(second) > sum(first)
    assert min(first) >= 0.1
    assert max(second) <= 0.6


@pytest.mark.parametrize("seconds", [0, 3, 30])
def test_it_never_comes_back_before_the_time_the_provider_named(seconds):
    pauses = [
        policy.repeat_after(GET, answer(429, retry_after=str(seconds)), 1)
        for _ in range(50)
    ]

    assert min(pauses) >= seconds
    assert max(pauses) <= seconds + 1


def test_answer_without_meaning_is_not_asked_for_again():
    assert policy.repeat_after(GET, UnexpectedResponse(), 1) is None


@pytest.mark.parametrize(
    ("provider", "response", "seconds"),
    [
        (Bank, answer(429, retry_after="100"), 0),  # may be this one customer's limit
        (Limited, answer(429, retry_after="100"), 110),
        (Limited, answer(429), 0),
        (Bank, answer(418, retry_after="100"), 110),
        (Bank, answer(418), 132),
        (Limited, answer(503, retry_after="100"), 0),
        (Limited, answer(200, retry_after="100"), 0),
    ],
)
def test_ban_or_a_limit_of_all_keeps_everybody_away(provider, response, seconds):
    trouble = provider({}).trouble(response)
    hold = trouble.hold if trouble else 0
    assert hold == pytest.approx(seconds)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 409, 422])
def test_plain_no_is_a_sign_of_health(status):
    assert Bank({}).trouble(answer(status)) is None


@pytest.mark.parametrize("status", [418, 429, 500, 502, 503, 504])
def test_trouble_is_a_failure(status):
    assert Bank({}).trouble(answer(status))


PARAMS = st.lists(st.tuples(st.text(), st.text()), max_size=4).map(tuple)


@given(PARAMS)
def test_parameters_are_written_as_a_signature_expects_them(params):
    bank = Bank({}, {"api": "https://bank.example/"})
    found = policy.address(bank, Request("GET", "/a", params=params))

    assert found == "https://bank.example/a" + ("?" * bool(params)) + urlencode(params)


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=50))
def test_nonces_only_grow_whatever_the_clock_does(steps):
    now = 10**18
    clock = iter([now := now + step for step in steps])
    nonces = Nonces(lambda: next(clock))

    given_out = [nonces.next() for _ in steps]

    assert given_out == sorted(set(given_out))


def test_nonces_of_many_threads_differ():
    nonces, found = Nonces(lambda: 5), []

    def take():
        found.extend(nonces.next() for _ in range(500))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 4000


def test_question_that_can_be_asked_elsewhere_is_asked_once_and_not_for_long():
    hurried, calm = replace(GET, patience=2.0), replace(GET, patience=9e9)
    before = monotonic()
    late = before + 1e9

    soon = policy.signed(Bank({}), hurried, late).deadline
    half = policy.signed(Bank({}), calm, late).deadline

    assert before + 2.0 <= soon <= monotonic() + 2.0
    assert (before + late) / 2 <= half <= (monotonic() + late) / 2
    assert policy.repeat_after(hurried, Unavailable(), 1) is None
    assert policy.repeat_after(GET, Unavailable(), 1) is not None


def test_lines_with_names_of_their_own_have_gates_of_their_own():
    class Chosen(Bank):
        def line(self, host):
            return f"{host}-{self.credentials['url']}"

    def gate(adapter, url):
        return gates.gate_of(adapter({"url": url}), GET)

    assert gate(Chosen, "a") is gate(Chosen, "a")
    assert gate(Chosen, "a") is not gate(Chosen, "b")
    assert gate(Bank, "a") is gate(Bank, "b")


def test_header_that_would_start_another_is_never_sent():
    bank = Bank({"token": "t\r\nHost: elsewhere"})

    with pytest.raises(AuthenticationFailed):
        policy.signed(bank, GET, float("inf"))


def test_credentials_have_one_key_that_does_not_give_them_away():
    one, same, other = (
        Bank({"token": "s3"}),
        Bank({"token": "s3"}),
        Bank({"token": "x"}),
    )

    assert digest(one) == digest(same)
    assert digest(one) != digest(other)
    assert digest(one) != digest(Limited({"token": "s3"}))
    assert "s3" not in repr(digest(one))


@pytest.mark.parametrize("slug", providers.slugs())
def test_adapter_is_known_by_its_folder(slug):
    assert policy.slug_of(providers.load(slug)) == slug


def test_only_reads_of_no_serial_adapter_go_out_together():
    class Serial(Bank):
        serial = True

    assert policy.together(Bank({}), [GET, GET])
    assert not policy.together(Bank({}), [GET, PAY])
    assert not policy.together(Serial({}), [GET, GET])


def test_turns_come_in_order():
    turns = Turns()
    first, second, third = (turns.take("k") for _ in range(3))
    assert [t.done() for t in (first, second, third)] == [True, False, False]

    turns.give("k", first)
    assert [t.done() for t in (second, third)] == [True, False]


def test_turn_given_up_before_it_came_is_skipped():
    turns = Turns()
    first, second, third = (turns.take("k") for _ in range(3))

    turns.give("k", second)
    assert not third.done()
    turns.give("k", first)
    assert third.done()


def test_turns_of_two_keys_do_not_wait_for_each_other():
    turns = Turns()

    assert turns.take("a").done()
    assert turns.take("b").done()


@given(st.lists(st.integers(0, 30), max_size=80))
def test_exactly_one_has_the_turn_while_anybody_wants_it(story):
    turns, waiting = Turns(), []
    for step in story:
        if step < 12 and waiting:
            turns.give("k", waiting.pop(step % len(waiting)))
        else:
            waiting.append(turns.take("k"))
        assert [t.done() for t in waiting] == [i == 0 for i in range(len(waiting))]


def test_turn_held_in_the_parent_does_not_block_a_child():
    turn = policy.turns.take("k")
    child = os.fork()
    if child == 0:
        os._exit(0 if policy.turns.take("k").done() else 1)
    _, ended = os.waitpid(child, 0)
    policy.turns.give("k", turn)

    assert os.waitstatus_to_exitcode(ended) == 0
