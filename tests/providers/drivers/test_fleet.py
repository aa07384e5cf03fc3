"""What the fleet promises beyond what both drivers do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module

import pytest

from providers.base import Limit
from providers.drivers import Fleet, gates
from providers.drivers import fleet as this_process_fleet
from providers.drivers.fleet import _after_fork
from providers.errors import (
    AuthenticationFailed,
    ProviderError,
    RateLimited,
    Refused,
    Unavailable,
)
from providers.wire import Request

from .conftest import (
    GET,
    PAY,
    Bank,
    Institution,
    SerialBank,
    drop,
    serving,
    slow,
    status,
    well,
)


def jobs(bank, number, make=Bank):
    """Return so many readings of different customers."""
    banks = [make({"token": f"t{i}"}, bank.urls) for i in range(number)]
    return [(b, b.asking(Request("GET", f"/{i}"))) for i, b in enumerate(banks)]


def of_customer(token, behave):
    """Answer one customer in a special way, all others well."""

    async def choose(request):
        mine = request.headers["Authorization"] == token
        return await (behave if mine else well)(request)

    return choose


def test_results_come_in_the_order_of_the_jobs(fleet, bank):
    found = fleet.run_all(jobs(bank, 40), seconds=10)

    assert [r.json()["path"] for r in found] == [f"/{i}" for i in range(40)]


def test_no_jobs_no_results(fleet):
    assert fleet.run_all([], seconds=1) == []
    assert list(fleet.run_each([], seconds=1)) == []


def test_one_failing_customer_stops_nobody_else(fleet, bank, institution):
    institution.plan.extend([of_customer("t3", drop)] * 30)

    found = fleet.run_all(jobs(bank, 10), seconds=10)

    assert isinstance(found.pop(3), Unavailable)
    assert all(response.status == 200 for response in found)


def test_credentials_that_cannot_be_sent_stop_nobody_else(fleet, bank):
    bad = Bank({"token": "x\r\n"}, bank.urls)

    good, refused = fleet.run_all(
        [(bank, bank.observe()), (bad, bad.observe())], seconds=10
    )

    assert good.status == 200
    assert isinstance(refused, AuthenticationFailed)


def test_adapters_own_error_is_a_result(fleet, bank, institution):
    institution.plan.append(status(404))

    (found,) = fleet.run_all([(bank, bank.reading(GET))], seconds=5)

    assert isinstance(found, Refused)


def test_fault_of_an_adapter_is_raised_to_the_caller(fleet, bank):
    def broken():
        yield GET
        raise KeyError("a fault in the code")

    with pytest.raises(KeyError, match="a fault in the code"):
        fleet.run_all([*jobs(bank, 5), (bank, broken())], seconds=10)
    assert fleet.run_all(jobs(bank, 1), seconds=5)[0].status == 200


def test_calls_are_in_flight_together(fleet, bank, institution):
    institution.plan.extend([slow(0.5)] * 20)

    fleet.run_all(jobs(bank, 20), seconds=10)

    assert institution.most_at_once == 20


def test_requests_of_a_list_are_in_flight_together(fleet, bank, institution):
    institution.plan.extend([slow(0.5)] * 5)

    fleet.run_all([(bank, bank.asking([GET] * 5))], seconds=10)

    assert institution.most_at_once == 5


def test_failure_in_a_list_fails_the_call_once(fleet, bank, institution):
    institution.plan.extend([slow(5)] * 3 + [drop] * 20)

    (found,) = fleet.run_all([(bank, bank.asking([GET] * 4))], seconds=10)

    assert isinstance(found, Unavailable)


def test_no_more_calls_are_in_flight_than_allowed(bank, institution):
    institution.plan.extend([slow(0.05)] * 30)
    small = Fleet(in_flight=3)
    try:
        small.run_all(jobs(bank, 30), seconds=20)
    finally:
        small.close()

    assert institution.most_at_once == 3


def test_what_has_answered_is_handed_back_while_others_are_out(
    fleet, bank, institution
):
    released = threading.Event()

    async def held(request):
        while not released.is_set():
            await slow(0.02)(request)
        return await well(request)

    institution.plan.extend([of_customer("t2", held)] * 6)
    results = fleet.run_each(jobs(bank, 6), seconds=30)

    early = {}
    while len(early) < 5:
        early.update(next(results))
    assert sorted(early) == [0, 1, 3, 4, 5]
    released.set()
    assert [index for chunk in results for index, _ in chunk] == [2]


def test_each_result_is_handed_back_once(fleet, bank):
    found = [
        index
        for chunk in fleet.run_each(jobs(bank, 200), seconds=30, chunk=7, linger=0.01)
        for index, _ in chunk
    ]

    assert sorted(found) == list(range(200))


def test_slow_call_ends_by_its_own_deadline(fleet, bank, institution, monkeypatch):
    monkeypatch.setattr(type(bank), "deadline", 1.0)
    institution.plan.extend([of_customer("t1", slow(60))] * 9)
    began = time.monotonic()

    found = fleet.run_all(jobs(bank, 3), seconds=30)

    assert [type(r).__name__ for r in found] == ["Response", "Unavailable", "Response"]
    assert time.monotonic() - began < 15


def test_all_end_by_the_deadline_of_the_batch(bank, institution):
    institution.plan.extend([slow(60)] * 9)
    small, began = Fleet(in_flight=1), time.monotonic()
    try:
        found = small.run_all(jobs(bank, 5), seconds=1.0)
    finally:
        small.close()

    assert all(isinstance(r, Unavailable) for r in found)
    assert time.monotonic() - began < 10
    assert len(institution.seen) == 1  # there was no time left to ask for the others


def test_caller_who_leaves_early_leaves_nothing_running(fleet, bank, institution):
    institution.plan.extend([of_customer("t1", slow(60))] * 9)
    results = fleet.run_each(jobs(bank, 2), seconds=60)
    next(results)
    results.close()

    assert fleet.run_all(jobs(bank, 1), seconds=5)[0].status == 200
    deadline = time.monotonic() + 10
    while institution.at_once and time.monotonic() < deadline:
        time.sleep(0.02)
    assert institution.at_once == 0


def test_several_threads_may_use_one_fleet(fleet, bank):
    found = []

    def work():
        found.extend(fleet.run_all(jobs(bank, 20), seconds=20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [r.status for r in found] == [200] * 80


def test_serial_credentials_wait_for_each_other_across_calls(fleet, url, institution):
    institution.plan.extend([slow(0.02)] * 24)
    bank = SerialBank({"token": "one"}, {"api": url})

    fleet.run_all([(bank, bank.asking(GET, GET)) for _ in range(8)], seconds=20)

    assert institution.most_at_once == 1
    nonces = [int(request.headers["Nonce"]) for request in institution.seen]
    assert nonces == sorted(nonces)


def test_serial_credentials_of_two_customers_do_not_wait(fleet, bank, institution):
    institution.plan.extend([slow(0.5)] * 4)

    fleet.run_all(jobs(bank, 4, SerialBank), seconds=20)

    assert institution.most_at_once == 4


def test_turn_that_comes_too_late_means_nothing_was_sent(fleet, url, institution):
    institution.plan.extend([slow(60)] * 5)
    bank = SerialBank({"token": "one"}, {"api": url})

    found = fleet.run_all([(bank, bank.asking(PAY)) for _ in range(3)], seconds=1.0)

    assert sorted(type(r).__name__ for r in found) == [
        "OutcomeUnknown",
        "Unavailable",
        "Unavailable",
    ]
    assert len(institution.seen) == 1


class Limited(Bank):
    limits = {"api": Limit(10, 60.0)}


def test_budget_is_kept_and_the_rest_is_told_before_sending(fleet, bank, institution):
    found = fleet.run_all(jobs(bank, 14, Limited), seconds=1.5)

    assert len(institution.seen) == 10
    assert sum(isinstance(r, RateLimited) for r in found) == 4


class Brisk(Bank):
    limits = {"api": Limit(20, 1.0)}


def test_calls_wait_for_the_budget_within_their_deadline(fleet, bank, institution):
    found = fleet.run_all(jobs(bank, 50, Brisk), seconds=30)

    assert [r.status for r in found] == [200] * 50


def test_providers_wish_to_be_left_alone_reaches_all(fleet, bank, institution):
    institution.plan.append(status(418, Retry_After="300"))
    fleet.run_all(jobs(bank, 1), seconds=5)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        (found,) = fleet.run_all(jobs(bank, 1), seconds=5)
        if isinstance(found, ProviderError):
            break

    assert 290 < found.retry_after <= 330


def test_five_in_a_hundred_failing_do_not_open_the_circuit(fleet, bank, institution):
    async def answer(request):
        number = int(request.headers["Authorization"][1:])
        return await (status(500) if number % 20 == 0 else well)(request)

    institution.plan.extend([answer] * 1000)
    for _ in range(3):
        found = fleet.run_all(jobs(bank, 100), seconds=30)
        assert [r.status for r in found].count(200) == 95


def test_breaker_and_budget_shared_through_a_store(fleet, bank, own_valkey):
    gates.configure(own_valkey.url)

    found = fleet.run_all(jobs(bank, 8, Limited), seconds=10)

    assert [r.status for r in found] == [200] * 8
    client = own_valkey.client()
    assert any(b"Limited" in key for key in client.keys("*budget*"))
    assert client.exists("breaker:Limited")
    client.close()


@pytest.mark.parametrize("trouble", [signal.SIGSTOP, signal.SIGKILL])
def test_store_that_goes_away_fails_no_sync(fleet, bank, mortal_valkey, trouble):
    gates.configure(mortal_valkey.url)
    fleet.run_all(jobs(bank, 5, Brisk), seconds=10)
    mortal_valkey.signal(trouble)
    time.sleep(1.1)  # the verdict has to be asked for again

    found = fleet.run_all(jobs(bank, 10, Brisk), seconds=20)

    assert [r.status for r in found] == [200] * 10


def test_process_has_one_fleet_however_many_ask():
    found = set()
    threads = [
        threading.Thread(target=lambda: found.add(this_process_fleet()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 1
    this_process_fleet().close()
    _after_fork()


def test_child_process_has_a_fleet_of_its_own(bank):
    mine = this_process_fleet()
    mine.run_all(jobs(bank, 2), seconds=10)
    child = os.fork()
    if child == 0:
        try:
            found = this_process_fleet().run_all(jobs(bank, 2), seconds=10)
            good = this_process_fleet() is not mine and found[0].status == 200
            os._exit(0 if good else 1)
        except BaseException:  # noqa: BLE001 - a child must not run the other tests
            os._exit(2)
    _, ended = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(ended) == 0
    assert mine.run_all(jobs(bank, 1), seconds=10)[0].status == 200
    mine.close()
    _after_fork()


def test_loop_that_is_stuck_is_noticed(fleet, bank, monkeypatch):
    monkeypatch.setattr(import_module("providers.drivers.fleet"), "GRACE", 0.2)
    stuck = threading.Event()

    def thinking():
        stuck.wait(20)
        return 1
        yield GET

    with pytest.raises(RuntimeError, match="does not answer"):
        fleet.run_all([(bank, thinking())], seconds=0.1)
    stuck.set()


def test_process_whose_loop_is_stuck_gets_another(bank, monkeypatch):
    stuck, lost = threading.Event(), this_process_fleet()
    lost.loop.call_soon_threadsafe(stuck.wait, 60)
    with monkeypatch.context() as patched:
        patched.setattr(import_module("providers.drivers.fleet"), "GRACE", 0.2)
        with pytest.raises(RuntimeError, match="does not answer"):
            lost.run_all(jobs(bank, 1), seconds=0.1)

    other = this_process_fleet()
    found = other.run_all(jobs(bank, 2), seconds=10)

    assert [answer.status for answer in found] == [200, 200]
    assert this_process_fleet() is other is not lost
    stuck.set()  # once it answers again, it ends and keeps nothing open
    lost._thread.join(30)
    assert (lost.session.closed, lost.loop.is_closed()) == (True, True)
    other.close()
    _after_fork()


def test_answers_of_hundreds_arrive_through_one_session(fleet):
    institution = Institution()
    with serving(institution) as url:
        found = fleet.run_all(jobs(Bank({}, {"api": url}), 600), seconds=60)

    assert [r.status for r in found] == [200] * 600


def test_process_that_ends_leaves_no_session_open():
    # What is registered first runs last.
    code = """
import atexit
seen = []
def look(one): print(one.session.closed, one.public.closed, one.loop.is_closed())
atexit.register(lambda: look(seen[0]))
from providers.drivers import fleet
seen.append(fleet())
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert (ended.stdout, ended.stderr) == ("True True True\n", "")
