from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import (
    OutcomeUnknown,
    ProviderError,
    Unavailable,
    UnexpectedResponse,
)
from providers.wire import (
    DEEPEST,
    LONGEST_NUMBER,
    Request,
    Response,
    before,
    drive,
    parse_json,
)

GET = Request("GET", "/a")


def test_numbers_in_json_never_become_floats():
    found = Response(200, {}, b"[0.1, 9007199254740993, 1e-8]").json()

    assert found == [Decimal("0.1"), 2**53 + 1, Decimal("1e-8")]
    assert float not in map(type, found)


@pytest.mark.parametrize(
    "number", [2**53 + 1, 10**18 + 1, 2**63, 2**128 - 1, 2**256 - 1, -(2**256)]
)
def test_large_integers_arrive_to_the_last_unit(number):
    assert parse_json(f'{{"balance": {number}}}') == {"balance": number}


@given(st.integers(-(10**98), 10**99))
def test_every_integer_arrives_exactly(number):
    assert parse_json(str(number).encode()) == number


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18).filter(bool))
def test_every_decimal_arrives_exactly(value):
    text = f"{value:f}"
    if len(text) <= LONGEST_NUMBER:
        assert parse_json(text) == value
        assert type(parse_json(text)) is Decimal


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_what_was_written_is_what_is_read(value, ascii_only):
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_by_a_value_error(body):
    try:
        found = parse_json(body)
    except ValueError:
        return
    assert not isinstance(found, float)


@given(st.text(alphabet='[]{}",:\\0123456789.eE+-naNIfity ', max_size=60))
def test_almost_json_is_read_as_python_reads_it_or_refused(text):
    try:
        found = parse_json(text)
    except ValueError:
        return
    assert json.dumps(json.loads(text)) == json.dumps(found, default=float)


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b"[-Infinity]",
        b'{"balance": Infinity}',
        b"1e401",
        b"-1e-999",
        b"1e99999999999999999999",
        b"1" * (LONGEST_NUMBER + 1),
        b"0." + b"1" * LONGEST_NUMBER,
        b'{"balance": 1, "balance": 2}',
        b'[{"a": {"b": 1, "b": 1}}]',
        b"",
        b"<html>",
        b"\xff\xfe1",
        b"\xa0",
        '{"balance": "1"}'.encode("utf-16"),
        '{"balance": \u0661}'.encode(),  # Arabic digits
        '{"balance": \uff11}'.encode(),  # full-width digits
        b"1_000",
        b"+1",
        b"01",
        b".5",
        b"5.",
        b"0x10",
        b"[1,]",
        b"[1",
        b"{} {}",
        b"{'a': 1}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_json_that_could_change_an_amount_is_refused(body):
    with pytest.raises(ValueError):
        Response(200, {}, body).json()


def test_long_number_costs_no_time_before_it_is_refused():
    with pytest.raises(ValueError, match="digits"):
        parse_json(b"9" * 5_000_000)


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


@pytest.mark.parametrize("padding", ["", ", ".join(["[]"] * 100) + ", "])
def test_nesting_has_a_bound(padding):
    def shaped(depth: int) -> str:
        return f"[{padding}{nested(depth - 1)}]"

    assert parse_json(shaped(DEEPEST))
    with pytest.raises(ValueError, match="deeply"):
        parse_json(shaped(DEEPEST + 1))


def test_nesting_of_objects_has_the_same_bound():
    assert parse_json('{"a":' * (DEEPEST - 1) + "{}" + "}" * (DEEPEST - 1))
    with pytest.raises(ValueError, match="deeply"):
        parse_json('{"a":' * DEEPEST + "{}" + "}" * DEEPEST)


def test_brackets_in_texts_are_no_nesting():
    text = nested(500)

    assert parse_json(json.dumps([text])) == [text]


def test_mark_of_the_byte_order_is_ignored():
    assert parse_json(b'\xef\xbb\xbf{"balance": 1}') == {"balance": 1}


@pytest.mark.parametrize("text", ["1e400", "1E-400", "0.5e2"])
def test_numbers_of_a_size_amounts_have_are_read(text):
    assert parse_json(text) == Decimal(text)
    assert not math.isnan(parse_json(text))


def test_requests_yielded_together_are_answered_together():
    def call():
        first = yield Request("GET", "/a")
        both = yield [Request("GET", "/b"), Request("GET", "/c")]
        return [first, *both]

    assert drive(call(), lambda request: request.path) == ["/a", "/b", "/c"]


def test_failure_is_raised_where_the_adapter_asked():
    asked = []

    def send(request):
        asked.append(request.path)
        raise Unavailable

    def call():
        try:
            yield GET
        except Unavailable:
            return "partly"

    assert drive(call(), send) == "partly"
    assert asked == ["/a"]


def test_failure_the_adapter_does_not_expect_ends_the_call():
    closed = []

    def call():
        try:
            yield GET
        finally:
            closed.append(True)

    def send(request):
        raise Unavailable("down")

    with pytest.raises(Unavailable, match="down"):
        drive(call(), send)
    assert closed == [True]


def test_fault_in_a_driver_is_not_offered_to_the_adapter():
    def call():
        try:
            yield GET
        except ProviderError:
            return "swallowed"

    def send(request):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drive(call(), send)


UNTIL = datetime(2026, 1, 1, tzinfo=UTC)


def test_only_what_may_move_money_bears_the_moment_until_which_it_may_be_sent():
    pay = Request("PUT", "/pay", may_move_money=True)

    def call():
        first = yield GET
        return [first, *(yield [pay, GET]), (yield pay)]

    asked = drive(before(call(), UNTIL), lambda request: request)

    assert [request.not_after for request in asked] == [None, UNTIL, None, UNTIL]
    assert [request.path for request in asked] == ["/a", "/pay", "/a", "/pay"]


def test_a_call_with_a_last_moment_hears_of_failures_and_is_closed():
    heard = []

    def call():
        try:
            yield GET
        except Unavailable:
            heard.append("unavailable")
        try:
            yield GET
        finally:
            heard.append("closed")

    def send(request):
        raise Unavailable if not heard else ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drive(before(call(), UNTIL), send)
    assert heard == ["unavailable", "closed"]


def test_call_that_asks_nothing_still_answers():
    def call():
        return 7
        yield GET

    assert drive(call(), lambda request: request) == 7


def test_what_a_lost_answer_means_follows_the_money_not_the_verb():
    reads = Request("POST", "/balance")
    pays = Request("GET", "/pay", may_move_money=True)

    assert (reads.lost, reads.unreadable) == (Unavailable, UnexpectedResponse)
    assert (pays.lost, pays.unreadable) == (OutcomeUnknown, OutcomeUnknown)


def test_secrets_do_not_appear_when_a_request_is_printed():
    request = Request("GET", "/", headers={"Authorization": "hush"}, body=b"hush")

    assert "hush" not in repr(request)
