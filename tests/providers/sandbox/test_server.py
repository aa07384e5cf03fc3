"""The sandbox as others meet it: over HTTP, and as a process that may be killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import requests

import providers
from providers import errors, sandbox
from providers.base import MovesMoney
from providers.drivers import Blocking
from providers.sandbox.fast import plain_get
from providers.sandbox.remote import ControlRefused
from tests.providers.contract.parties import place

SLUG = next(s for s in sandbox.slugs() if issubclass(providers.load(s), MovesMoney))


@pytest.fixture(scope="module")
def served():
    with sandbox.serve() as box:
        yield box


@pytest.fixture
def box(served):
    served.clock.reset()
    served[SLUG].reset()
    return served


@pytest.fixture
def remote(box):
    return sandbox.Remote(box.url, SLUG)


@pytest.fixture
def account(remote):
    return remote.demo_world().account.external_id


def control(box, method, path, **body):
    return requests.request(method, f"{box.url}/_control{path}", json=body, timeout=5)


def test_money_comes_in_and_goes_out(box, remote, account):
    before = remote.balance(account)
    paid = remote.pay(account, 2**60, description="Salary", merchant="ACME")
    remote.spend(account, 5)

    assert remote.balance(account) == box[SLUG].balance(account) == before + 2**60 - 5
    assert remote.movements(account)[-2] == paid
    assert paid.facts == {"description": "Salary", "merchant": "ACME"}


def test_money_may_come_in_at_any_moment(remote, account):
    when = datetime(2026, 1, 25, 9, tzinfo=UTC)

    assert remote.pay(account, 1, when=when).moment == when


def test_customer_moves_money_by_hand(remote):
    customer = remote.demo_world()
    ends = customer.account.external_id, customer.pots[0].external_id

    moved = remote.move(*ends, 100)

    assert (moved.source, moved.target, moved.dedupe_id) == (*ends, "")


def test_pending_payment_is_settled_over_the_wire(remote, account):
    before = remote.balance(account)
    entry = remote.spend(account, 50, pending=True)
    assert not entry.settled
    remote.settle(entry.id, amount=45)

    assert remote.balance(account) == before - 45


@pytest.mark.parametrize("amount", [100, 1.5, "1.5", "1e3", " 5", "٥", None, True])
def test_amounts_are_strings_of_minor_units(box, account, amount):
    answer = control(box, "POST", "/pay", slug=SLUG, account=account, amount=amount)

    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/pay", {"slug": "nobody", "account": "a", "amount": "1"}, 404),
        ("POST", "/pay", {"slug": SLUG, "account": "nobody", "amount": "1"}, 404),
        ("POST", "/pay", {"slug": SLUG, "amount": "1"}, 404),
        ("POST", "/faults", {"slug": SLUG, "action": "gremlins"}, 400),
        ("POST", "/faults", {"slug": SLUG, "action": "garbage", "colour": 1}, 400),
        ("POST", "/settings", {"slug": SLUG, "speed": 1}, 400),
        ("POST", "/clock", {"set": "yesterday"}, 400),
        ("POST", "/do", {"slug": SLUG, "what": "reset"}, 404),
        ("GET", "/nothing", {}, 404),
    ],
)
def test_control_says_what_it_does_not_understand(box, method, path, body, status):
    assert control(box, method, path, **body).status_code == status


def test_clock_is_moved_for_everybody(box, remote):
    remote.advance(86_400)
    now = datetime.fromisoformat(control(box, "GET", "/clock").json()["now"])
    assert now - datetime.now(UTC) > timedelta(hours=23)

    moved = control(box, "POST", "/clock", set="2030-01-01T00:00:00Z", advance=60)
    assert moved.json()["now"].startswith("2030-01-01T00:01:0")
    back = control(box, "POST", "/clock", reset=True).json()["now"]
    assert abs(datetime.fromisoformat(back) - datetime.now(UTC)) < timedelta(seconds=5)


def test_many_customers_are_opened_in_one_call(box, remote):
    customers = remote.add_customers([f"c{i}" for i in range(50)], pots=2)

    assert len({c.credentials["access_token"] for c in customers}) == 50
    assert all(len(c.pots) == 2 for c in customers)
    for customer in customers[::25]:
        adapter = providers.load(SLUG)(customer.credentials, box.hosts(SLUG))
        seen = Blocking().run(adapter, adapter.observe())
        assert {r.external_id for r in seen.readings} == {
            h.external_id for h in customer.holdings
        }


def test_same_person_is_not_opened_twice(remote):
    remote.add_customers(["ann"])

    with pytest.raises(ControlRefused, match="ann"):
        remote.add_customers(["ann"])


def test_faults_can_be_planned_many_at_once_in_two_words(box, remote):
    planned = [
        {"action": "garbage", "match": {"method": "GET", "path": "/nowhere"}},
        {"slug": SLUG, "action": "5xx", "status": 502, "times": 1},
    ]
    control(box, "POST", "/faults", slug=SLUG, faults=planned)

    state = control(box, "GET", "/state").json()["institutions"][SLUG]
    assert state["faults"] == ["garbage", "5xx"]
    assert requests.get(f"{box.url}/{SLUG}/x", timeout=5).status_code == 502
    remote.calm()
    assert box[SLUG].plan.faults == []


def test_state_counts_requests(box):
    before = box[SLUG].requests
    requests.get(f"{box.url}/{SLUG}/nowhere", timeout=5)

    assert box[SLUG].requests == before + 1


def test_unknown_institution_is_not_there(box):
    for path in ("/nobody/x", "/nobody", "/"):
        assert requests.get(box.url + path, timeout=5).status_code == 404


def test_only_institution_is_spoken_to_without_its_name():
    with sandbox.serve(SLUG) as alone:
        named = requests.get(f"{alone.url}/{SLUG}/nowhere", timeout=5)
        bare = requests.get(f"{alone.url}/nowhere", timeout=5)
        assert (bare.status_code, bare.content) == (404, named.content)
        assert requests.get(f"{alone.url}/_control/clock", timeout=5).status_code == 200


def test_latency_is_waited_and_many_wait_together(box, remote):
    remote.configure(latency=0.2)
    url = f"{box.url}/{SLUG}/nowhere"

    def get(_):
        return requests.get(url, timeout=5).status_code

    start = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(get, range(8))) == {404}

    assert 0.2 <= time.monotonic() - start < 1.2


def raw(box, request):
    """Send bytes and return what comes back until the end, or until it is quiet."""
    host, port = box.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=0.5) as connection:
        connection.sendall(request)
        found = b""
        with suppress(TimeoutError, ConnectionResetError):
            while part := connection.recv(65536):
                found += part
    return found


def test_fast_lane_and_usual_way_say_the_same(box):
    path = f"/{SLUG}/nowhere?a=1"
    fast = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    usual = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    assert plain_get(fast)
    assert plain_get(usual) is None

    answers = [raw(box, request) for request in (fast, usual)]

    assert len({answer.split(b"\r\n")[0].lower() for answer in answers}) == 1
    assert len({answer.partition(b"\r\n\r\n")[2] for answer in answers}) == 1


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /a/b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a/b HTTP/1.0\r\n\r\n",
        b"GET /a/b HTTP/1.1\r\nHost: x\r\n",
        b"GET /a/b HTTP/1.1\r\n\r\nGET /a/b HTTP/1.1\r\n\r\n",
        b"GET /a/b HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
        b"GET /a/b HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_unusual_requests_take_the_usual_way(request_):
    assert plain_get(request_) is None


def test_two_requests_at_once_on_one_connection_are_answered_in_order(box):
    one = f"GET /{SLUG}/one HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    last = f"GET /{SLUG}/two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()

    assert raw(box, one + last).count(b"HTTP/1.1 404") == 2


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
def test_answer_that_breaks_off_is_shorter_than_it_says(box, more):
    box[SLUG].fault("cut")

    found = raw(
        box, b"GET /" + SLUG.encode() + b"/x HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n"
    )

    head, _, body = found.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    said = next(line for line in lines if line.startswith(b"content-length"))
    assert len(body) < int(said.split(b":")[1])


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
def test_dropped_connection_says_nothing(box, more):
    box[SLUG].fault("drop_before")
    request = b"GET /" + SLUG.encode() + b"/x HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n"

    assert raw(box, request) == b""


# -- the process


@pytest.fixture
def process(tmp_path):
    """Start the sandbox as a process of its own, as often as a test likes."""
    started = []

    def start():
        command = [sys.executable, "-m", "providers.sandbox", "--state", str(tmp_path)]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(child)
        return child, json.loads(child.stdout.readline())

    yield start
    for child in started:
        if child.poll() is None:
            child.kill()
        child.wait()
        child.stdout.close()


def test_process_says_where_it_is_and_listens_on_this_machine_only(process):
    child, said = process()

    assert said["ready"].startswith("http://127.0.0.1:")
    assert set(said["hosts"]) == set(sandbox.slugs())
    assert set(said["hosts"][SLUG]) == set(providers.load(SLUG).hosts)
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 0


def test_killed_bank_has_lost_nothing_and_pays_nothing_twice(process):
    child, said = process()
    remote = sandbox.Remote(said["ready"], SLUG)
    customer = remote.demo_world()
    ends = place(customer.account), place(customer.pots[0])

    for number in range(2):
        adapter = providers.load(SLUG)(customer.credentials, said["hosts"][SLUG])
        remote.pay(customer.account.external_id, 100)
        Blocking().run(adapter, adapter.transfer(*ends, 7, dedupe_id=f"{number}"))
        before = remote.balances()
        os.kill(child.pid, signal.SIGKILL)
        child.wait()

        child, said = process()
        remote = sandbox.Remote(said["ready"], SLUG)
        adapter = providers.load(SLUG)(customer.credentials, said["hosts"][SLUG])
        assert remote.balances() == before
        for earlier in range(number + 1):
            call = adapter.transfer(*ends, 7, dedupe_id=f"{earlier}")
            Blocking().run(adapter, call)
        assert remote.balances() == before


def test_bank_that_dies_while_paying_paid_once_or_not_at_all(process):
    child, said = process()
    remote = sandbox.Remote(said["ready"], SLUG)
    customer = remote.demo_world()
    ends = place(customer.account), place(customer.pots[0])
    adapter = providers.load(SLUG)(customer.credentials, said["hosts"][SLUG])

    def pay(number):
        try:
            Blocking().run(adapter, adapter.transfer(*ends, 1, dedupe_id=f"{number}"))
        except (errors.OutcomeUnknown, errors.Unavailable):
            return None
        return number

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(pay, number) for number in range(400)]
        time.sleep(0.15)
        os.kill(child.pid, signal.SIGKILL)
        known = {done for r in running if (done := r.result()) is not None}

    _, said = process()
    remote = sandbox.Remote(said["ready"], SLUG)
    made = [e.dedupe_id for e in remote.movements() if e.dedupe_id]
    assert len(made) == len(set(made))
    assert {str(number) for number in known} <= set(made)
