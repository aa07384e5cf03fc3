"""What both drivers promise, against a server that misbehaves."""

from __future__ import annotations

import gzip
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

from providers.drivers import lateness, policy
from providers.errors import (
    AuthenticationFailed,
    CircuitOpen,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    TooLate,
    Unavailable,
    UnexpectedResponse,
)
from providers.wire import Request, before

from .conftest import (
    GET,
    PAY,
    Bank,
    SerialBank,
    body,
    bomb,
    drop,
    raw,
    reluctant,
    slow,
    status,
)

READ = Request("POST", "/read", body=b"{}")  # a verb does not decide what moves money


def test_answer_reaches_the_adapter(run, bank):
    found = run(bank, bank.asking(GET))

    assert found.status == 200
    assert found.json() == {"path": "/balance"}
    assert found.headers["content-type"].startswith("application/json")


def test_requests_go_out_in_the_adapters_words(run, bank, institution):
    asked = Request(
        "PUT",
        "/a/b",
        params=(("b", "1 2"), ("a", "é&="), ("b", "x,y")),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=b"amount=1&dedupe_id=x",
    )
    run(bank, bank.asking(asked))
    (seen,) = institution.seen

    assert (seen.method, seen.raw_path) == (
        "PUT",
        "/a/b?b=1+2&a=%C3%A9%26%3D&b=x%2Cy",
    )
    assert institution.bodies == [b"amount=1&dedupe_id=x"]
    assert seen.headers["Authorization"] == "t"
    assert seen.headers["User-Agent"] == "balsync"
    assert seen.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_body_without_a_type_gets_none(run, bank, institution):
    run(bank, bank.asking(Request("POST", "/", body=b"x")))

    assert "Content-Type" not in institution.seen[0].headers


def test_connection_is_kept_alive(run, bank, institution):
    run(bank, bank.asking(*[GET] * 5))

    assert len(set(institution.peers)) == 1


def test_list_is_answered_in_its_order(run, bank):
    asked = [Request("GET", f"/{i}") for i in range(20)]

    found = run(bank, bank.asking(asked))

    assert [r.json()["path"] for r in found] == [f"/{i}" for i in range(20)]


def test_empty_list_is_answered_by_an_empty_list(run, bank):
    assert run(bank, bank.asking([])) == []


def test_nobodys_cookies_are_kept(run, bank, institution):
    institution.plan.append(body(b"{}", **{"Set-Cookie": "owner=alice; Path=/"}))
    run(bank, bank.asking(GET, GET))

    assert "Cookie" not in institution.seen[1].headers


def test_proxies_and_netrc_of_the_machine_are_not_used(run, bank, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert run(bank, bank.asking(GET)).status == 200


def test_redirects_are_not_followed(run, bank, institution):
    institution.plan.append(status(307, Location="/elsewhere"))

    assert run(bank, bank.asking(GET)).status == 307
    assert institution.paths == ["/balance"]


def test_nonces_grow_from_request_to_request(run, bank, institution):
    run(bank, bank.asking(*[GET] * 5))
    nonces = [int(request.headers["Nonce"]) for request in institution.seen]

    assert nonces == sorted(set(nonces))
    assert abs(nonces[0] / 10**9 - time.time()) < 60


@pytest.mark.parametrize("request_", [GET, READ, PAY])
def test_nobody_there_means_that_nothing_was_sent(run, request_):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    bank = Bank({}, {"api": f"http://127.0.0.1:{port}"})

    with pytest.raises(Unavailable):
        run(bank, bank.asking(request_))


NOWHERE = {
    "http://bank.invalid": "its name could not be looked up",
    "http://": "its address is none",
    "nonsense": "its address is none",
    "http://a b/": "its (address is none|name could not be looked up)",
}


@pytest.mark.parametrize("request_", [GET, PAY])
@pytest.mark.parametrize("address", NOWHERE)
def test_address_that_leads_nowhere_means_that_nothing_was_sent(
    run, request_, address, monkeypatch
):
    def unknown(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    bank = Bank({}, {"api": address})

    with pytest.raises(Unavailable, match=NOWHERE[address]):
        run(bank, bank.asking(request_), 3)


LOSSES = {
    "hung up": drop,
    "half an answer": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"),
    "half a header": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "half a chunk": raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"
    ),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "no gzip": raw(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"
    ),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_lost_answer_about_money_leaves_the_outcome_unknown(
    run, bank, institution, loss
):
    institution.plan.append(loss)

    with pytest.raises(OutcomeUnknown):
        run(bank, bank.asking(PAY))
    assert institution.paths == ["/deposit"]  # and it was not sent again


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_lost_answer_to_a_read_is_asked_for_again(run, bank, institution, loss):
    institution.plan.append(loss)

    assert run(bank, bank.asking(READ)).status == 200
    assert institution.paths == ["/read", "/read"]


def test_reads_are_not_repeated_for_ever(run, bank, institution):
    institution.plan.extend([drop] * 10)

    with pytest.raises(Unavailable):
        run(bank, bank.asking(GET))
    assert len(institution.seen) == policy.ATTEMPTS


def test_kept_connection_that_breaks_does_not_send_money_twice(run, bank, institution):
    run(bank, bank.asking(GET))
    institution.plan.append(drop)

    with pytest.raises(OutcomeUnknown):
        run(bank, bank.asking(PAY))
    assert institution.paths == ["/balance", "/deposit"]
    assert len(set(institution.peers)) == 1


def test_connection_the_server_closed_is_opened_anew(run, bank, institution):
    institution.plan.append(body(b"{}", Connection="close"))

    run(bank, bank.asking(GET, PAY))

    assert len(set(institution.peers)) == 2


@pytest.mark.parametrize("number", [429, 500, 502, 503, 504])
def test_reads_are_repeated_after_trouble(run, bank, institution, number):
    institution.plan.extend([status(number), status(number)])

    assert run(bank, bank.asking(GET)).status == 200
    assert len(institution.seen) == 3


@pytest.mark.parametrize(("number", "error"), [(429, RateLimited), (503, Unavailable)])
def test_trouble_that_stays_reaches_the_adapter(run, bank, institution, number, error):
    institution.plan.extend([status(number)] * 9)

    with pytest.raises(error):
        run(bank, bank.reading(GET))
    assert len(institution.seen) == policy.ATTEMPTS


@pytest.mark.parametrize("number", [429, 500, 503])
def test_money_is_never_repeated(run, bank, institution, number):
    institution.plan.append(status(number, Retry_After="0"))

    assert run(bank, bank.asking(PAY)).status == number
    assert len(institution.seen) == 1


@pytest.mark.parametrize("number", [200, 400, 401, 403, 404, 418])
def test_clear_answers_are_not_asked_for_again(run, bank, institution, number):
    institution.plan.append(status(number))

    assert run(bank, bank.asking(GET)).status == number
    assert len(institution.seen) == 1


def test_retry_after_is_waited_for(run, bank, institution):
    institution.plan.append(status(429, Retry_After="1"))
    began = time.monotonic()

    assert run(bank, bank.asking(GET)).status == 200
    assert time.monotonic() - began >= 1


def test_retry_after_beyond_the_deadline_is_left_to_the_caller(run, bank, institution):
    institution.plan.append(status(429, Retry_After="60"))
    began = time.monotonic()

    with pytest.raises(RateLimited) as raised:
        run(bank, bank.reading(GET))
    assert raised.value.retry_after == 60
    assert time.monotonic() - began < 9


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
ENDLESS = {
    "silence": slow(60),
    "a status line by drips": raw(b"HTTP/1.1 200 ", *[b"O"] * 600, pause=0.1),
    "headers by drips": raw(b"HTTP/1.1 200 OK\r\n", *[b"A: b\r\n"] * 600, pause=0.1),
    "a body by drips": raw(HEAD, *[b"x"] * 600, pause=0.1),
}


@pytest.mark.parametrize("behaviour", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize(
    ("request_", "error"), [(GET, Unavailable), (PAY, OutcomeUnknown)]
)
def test_whole_call_ends_by_its_deadline(
    run, bank, institution, behaviour, request_, error
):
    institution.plan.append(behaviour)
    began = time.monotonic()

    with pytest.raises(error):
        run(bank, bank.asking(request_), 1.0)
    assert time.monotonic() - began < 8


def test_deadline_is_for_all_requests_of_a_call_together(run, bank, institution):
    institution.plan.extend([slow(0.4)] * 20)
    began = time.monotonic()

    with pytest.raises(Unavailable):
        run(bank, bank.asking(*[GET] * 20), 1.0)
    assert time.monotonic() - began < 6
    assert len(institution.seen) < 10


def test_nothing_is_sent_when_no_time_is_left(run, bank, institution):
    with pytest.raises(Unavailable):
        run(bank, bank.asking(PAY), 0.0)
    assert institution.seen == []


def test_what_moves_money_is_not_sent_from_its_last_moment_on(run, bank, institution):
    began = datetime.now(UTC)

    with pytest.raises(TooLate):
        run(bank, before(bank.asking(GET, PAY), began))

    assert [request.path for request in institution.seen] == [GET.path]


def test_last_moment_counts_when_it_is_sent_and_not_when_it_is_asked(
    run, bank, institution
):
    institution.plan.append(slow(0.4))  # the money waits for what is read first

    with pytest.raises(TooLate):
        soon = datetime.now(UTC) + timedelta(seconds=0.2)
        run(bank, before(bank.asking(GET, PAY), soon))

    assert [request.path for request in institution.seen] == [GET.path]


def test_what_takes_until_its_last_moment_to_connect_is_not_sent(run):
    soon = datetime.now(UTC) + timedelta(seconds=0.3)
    with reluctant(soon) as (url, seen):
        bank = Bank({"token": "t"}, {"api": url})
        with pytest.raises(Unavailable, match="took too long"):
            run(bank, before(bank.asking(PAY), soon))
        assert seen == []

        later = datetime.now(UTC) + timedelta(hours=1)
        run(bank, before(bank.asking(PAY), later))
        assert len(seen) == 1


def test_nothing_is_sent_by_a_machine_that_slept_while_it_connected(
    run, bank, institution, monkeypatch
):
    soon = datetime.now(UTC) + timedelta(minutes=1)

    class Awake(datetime):
        @classmethod
        def now(cls, tz=None):
            return soon

    monkeypatch.setattr(lateness, "datetime", Awake)
    with pytest.raises(Unavailable, match="took too long"):
        run(bank, before(bank.asking(PAY), soon))

    assert institution.seen == []


def test_what_is_in_time_is_sent(run, bank, institution):
    soon = datetime.now(UTC) + timedelta(hours=1)

    run(bank, before(bank.asking(GET, PAY), soon))

    assert [request.path for request in institution.seen] == [GET.path, PAY.path]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MEGABYTE = b"100000\r\n" + bytes(2**20) + b"\r\n"
HUGE = {
    "announced": body(bytes(policy.LARGEST + 1)),
    "in chunks": raw(CHUNKED, *[MEGABYTE] * 30),
    "packed": bomb(),
}


@pytest.mark.parametrize("behaviour", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize(
    ("request_", "error"), [(GET, UnexpectedResponse), (PAY, OutcomeUnknown)]
)
def test_absurdly_large_answer_is_not_read_to_its_end(
    run, bank, institution, behaviour, request_, error
):
    institution.plan.append(behaviour)

    with pytest.raises(error):
        run(bank, bank.asking(request_))
    assert len(institution.seen) == 1
    assert run(bank, bank.asking(GET)).status == 200


def test_large_answer_within_bounds_is_read_whole(run, bank, institution):
    institution.plan.append(body(b"x" * (policy.LARGEST)))

    assert len(run(bank, bank.asking(GET)).body) == policy.LARGEST


def test_packed_answer_is_unpacked(run, bank, institution):
    packed = gzip.compress(b"{}")
    institution.plan.append(body(packed, **{"Content-Encoding": "gzip"}))

    assert run(bank, bank.asking(GET)).body == b"{}"


def test_garbage_is_the_adapters_to_refuse(run, bank, institution):
    institution.plan.append(body(b"<html>"))

    with pytest.raises(UnexpectedResponse):
        run(bank, bank.reading(GET))


def test_adapter_may_go_on_without_an_answer(run, bank, institution):
    institution.plan.append(drop)

    def call():
        try:
            yield PAY
        except OutcomeUnknown:
            answer = yield GET
        return answer.status

    assert run(bank, call()) == 200


def test_call_is_closed_when_it_fails(run, bank, institution):
    institution.plan.append(drop)
    closed = []

    def call():
        try:
            yield PAY
        finally:
            closed.append(True)

    with pytest.raises(OutcomeUnknown):
        run(bank, call())
    assert closed == [True]


def test_fault_of_an_adapter_is_not_taken_for_the_providers(run, bank):
    def call():
        yield GET
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(bank, call())


@pytest.mark.parametrize("token", ["t\r\nX-Admin: 1", "t\n", "t\0", "naïve €"])
def test_credentials_no_header_can_carry_are_refused(run, url, institution, token):
    bank = Bank({"token": token}, {"api": url})

    with pytest.raises(AuthenticationFailed):
        run(bank, bank.asking(PAY))
    assert institution.seen == []


def test_errors_say_what_happened_without_addresses_or_secrets(run, url, institution):
    bank = Bank({"token": "hush"}, {"api": url})
    institution.plan.append(drop)
    secret = Request("PUT", "/x", params=(("key", "hush"),), may_move_money=True)

    with pytest.raises(ProviderError) as raised:
        run(bank, bank.asking(secret))

    shown = f"{raised.value}{raised.value.__cause__}"
    assert str(raised.value).startswith("Bank: ")
    assert "hush" not in shown
    assert "127.0.0.1" not in shown


def test_list_that_moves_money_goes_out_one_by_one(run, bank, institution):
    institution.plan.extend([slow(0.1)] * 3)

    run(bank, bank.asking([PAY, PAY, PAY]))

    assert institution.most_at_once == 1


def test_serial_adapter_sends_a_list_in_order(run, url, institution):
    institution.plan.extend([slow(0.1), slow(0.0), slow(0.0)])
    bank = SerialBank({}, {"api": url})

    run(bank, bank.asking([Request("GET", f"/{i}") for i in range(3)]))

    assert institution.paths == ["/0", "/1", "/2"]
    assert institution.most_at_once == 1


def test_circuit_opens_after_failures_and_then_nothing_is_sent(run, bank, institution):
    institution.plan.extend([status(503)] * 50)
    for _ in range(2):
        with pytest.raises(Unavailable):
            run(bank, bank.reading(GET))

    with pytest.raises(CircuitOpen):
        run(bank, bank.asking(PAY))
    assert len(institution.seen) == 5
