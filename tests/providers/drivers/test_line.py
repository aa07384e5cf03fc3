"""Answers that are plain and whole go a short way; all others must not."""

from __future__ import annotations

import pytest

from providers.drivers.line import whole
from providers.errors import AuthenticationFailed
from providers.wire import Request

from .conftest import GET, body, drop, raw, slow, status

PLAIN = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"X-Trace:\t a b \r\nContent-Length: 2\r\n\r\n{}"
)
OK = b"HTTP/1.1 200 OK\r\n"
ELSEWHERE = {
    "nothing": b"",
    "another version": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "not final": b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
    "never a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}",
    "no length": OK + b"Content-Type: x\r\n\r\n{}",
    "too short": OK + b"Content-Length: 3\r\n\r\n{}",
    "more than one": PLAIN + PLAIN,
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "odd length": OK + b"Content-Length: +2\r\n\r\n{}",
    "chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "packed": OK + b"Content-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}",
    "the last one": OK + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}",
    "another protocol": OK + b"Content-Length: 2\r\nUpgrade: h2c\r\n\r\n{}",
    "a folded line": OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "a bare line feed": OK + b"X: a\nContent-Length: 2\r\n\r\n{}",
    "a space before the colon": OK + b"Content-Length : 2\r\n\r\n{}",
    "beyond ASCII": OK + b"X: \xff\r\nContent-Length: 2\r\n\r\n{}",
    "an endless head": OK + b"X: y\r\n" * 2000 + b"Content-Length: 2\r\n\r\n{}",
}


def ask_twice(fleet, bank, *steps):
    """Return the answers to `steps`, asked when connections are kept already."""
    fleet.run_all([(bank, bank.asking([GET, GET]))], seconds=10)
    (found,) = fleet.run_all([(bank, bank.asking(*steps))], seconds=10)
    return found


def paths(*names):
    return [Request("GET", name) for name in names]


def test_plain_answer_is_understood_at_once():
    found = whole(PLAIN)

    assert (found.status, found.body) == (200, b"{}")
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-trace"] == "a b"


@pytest.mark.parametrize("data", ELSEWHERE.values(), ids=ELSEWHERE)
def test_whatever_is_not_plain_is_left_to_the_parser(data):
    assert whole(data) is None


def test_no_part_of_an_answer_is_taken_for_all_of_it():
    assert [whole(PLAIN[:end]) for end in range(len(PLAIN))] == [None] * len(PLAIN)


@pytest.mark.parametrize(
    "behave",
    [
        raw(b"HTTP/1.1 200 OK\r\nContent-", b"Length: 2\r\n\r\n{", b"}", pause=0.01),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n", PLAIN),
        raw(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
        raw(OK + b"\r\n{}"),
        body(b"{}", Connection="close"),
    ],
    ids=["in parts", "announced", "in chunks", "until the end", "the last one"],
)
def test_unusual_answer_on_a_kept_connection_is_read_as_any(
    fleet, bank, institution, behave
):
    institution.plan.extend([slow(0), slow(0), behave, behave])

    found = ask_twice(fleet, bank, [GET, GET])

    assert [(answer.status, answer.body) for answer in found] == [(200, b"{}")] * 2
    assert len(institution.seen) == 4


def test_requests_of_a_list_go_over_connections_that_are_kept(fleet, bank, institution):
    found = ask_twice(fleet, bank, paths("/0", "/1"))

    assert [answer.json()["path"] for answer in found] == ["/0", "/1"]
    assert len(set(institution.peers)) == 2


def test_more_requests_than_kept_connections_are_in_flight_together(
    fleet, bank, institution
):
    institution.plan.extend([slow(0.1), slow(0.1), *[slow(0.3)] * 4])

    found = ask_twice(fleet, bank, paths("/0", "/1", "/2", "/3"))

    assert [answer.json()["path"] for answer in found] == ["/0", "/1", "/2", "/3"]
    assert institution.most_at_once == 4


@pytest.mark.parametrize("trouble", [drop, status(503)], ids=["lost", "trouble"])
def test_request_in_flight_that_fails_is_sent_again(fleet, bank, institution, trouble):
    institution.plan.extend([slow(0), slow(0), trouble])

    found = ask_twice(fleet, bank, paths("/0", "/1"))

    assert [answer.json()["path"] for answer in found] == ["/0", "/1"]
    assert len(institution.seen) == 5


def test_list_that_cannot_be_signed_to_its_end_leaves_nothing_in_flight(
    fleet, bank, institution
):
    spoilt = Request("GET", "/1", headers={"X": "a\r\nb"})

    found = ask_twice(fleet, bank, [*paths("/0"), spoilt])

    assert isinstance(found, AuthenticationFailed)
    answers = ask_twice(fleet, bank, paths("/2", "/3"))
    assert [answer.json()["path"] for answer in answers] == ["/2", "/3"]


def test_what_was_said_unasked_is_not_taken_for_the_next_answer(
    fleet, bank, institution
):
    async def chatty(request):
        request.transport.write(PLAIN + OK + b"Content-Length: 5\r\n\r\nstale")
        return await slow(0)(request)

    institution.plan.extend([slow(0), slow(0), chatty, chatty])
    ask_twice(fleet, bank, [GET, GET])

    (found,) = fleet.run_all([(bank, bank.asking(paths("/0", "/1")))], seconds=10)

    assert [answer.json()["path"] for answer in found] == ["/0", "/1"]
