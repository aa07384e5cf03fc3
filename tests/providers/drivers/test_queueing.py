"""Requests wait for their turn and their budget, and hear when it was too much."""

from __future__ import annotations

import pytest

from providers.base import Limit, Trouble
from providers.drivers import gates
from providers.errors import RateLimited, Unavailable
from providers.numbers import Numbers
from providers.store import Store

from .conftest import GET, Bank, SerialBank, status

ONE = {"token": "one"}


class Told(Bank):
    """Says in a header how much is spent, and in a status that one customer may not."""

    limits = {"api": Limit(100, 60.0, kind="window", per="credential")}

    def used(self, response):
        return int(response.headers.get("used", 0))

    def trouble(self, response):
        return Trouble(30.0, mine=True) if response.status == 409 else None


def test_requests_of_several_processes_are_numbered_in_order(
    run, url, institution, own_valkey
):
    gates.configure(own_valkey.url)
    bank = SerialBank(ONE, {"api": url})

    run(bank, bank.asking(GET, GET))
    gates.configure(own_valkey.url)  # as another process would
    run(bank, bank.asking(GET))

    nonces = [int(request.headers["Nonce"]) for request in institution.seen]
    assert nonces == sorted(set(nonces))
    assert all(nonce % 1000 == 0 for nonce in nonces)  # the shared ones


def test_turn_that_another_process_keeps_is_waited_for_in_vain(
    run, url, institution, own_valkey, monkeypatch
):
    gates.configure(own_valkey.url)
    bank = SerialBank(ONE, {"api": url})
    run(bank, bank.asking(GET))
    (name,) = [k.decode() for k in Store(own_valkey.url).redis.keys("nonce:*")]
    Numbers(Store(own_valkey.url), name.removeprefix("nonce:")).take(60)

    with pytest.raises(Unavailable):
        run(bank, bank.asking(GET), seconds=0.3)

    other = SerialBank({"token": "two"}, {"api": url})
    assert run(other, other.asking(GET)).status == 200
    assert len(institution.seen) == 2


def test_turn_is_free_again_after_a_failure(run, url, institution, own_valkey):
    gates.configure(own_valkey.url)
    bank = SerialBank(ONE, {"api": "http://127.0.0.1:1"})
    with pytest.raises(Unavailable):
        run(bank, bank.asking(GET), seconds=1.0)
    (name,) = [k.decode() for k in Store(own_valkey.url).redis.keys("nonce:*")]
    other = Numbers(Store(own_valkey.url), name.removeprefix("nonce:"))

    while not other.take(5).mine:  # it is given back in the background
        pass


def test_one_customer_who_asked_too_much_waits_and_the_others_do_not(
    run, url, institution
):
    institution.plan.append(status(409))
    one, two = (Told({"token": name}, {"api": url}) for name in ("one", "two"))
    run(one, one.asking(GET))

    with pytest.raises(RateLimited) as raised:
        run(one, one.asking(GET), seconds=2.0)

    assert 25 < raised.value.retry_after <= 30
    assert run(two, two.asking(GET)).status == 200


def test_window_that_is_told_to_be_spent_is_waited_out(run, url, institution):
    institution.plan.append(status(200, used="99"))
    bank = Told(ONE, {"api": url})
    run(bank, bank.asking(GET))

    with pytest.raises(RateLimited):
        while True:
            run(bank, bank.asking(GET), seconds=0.2)
    assert len(institution.seen) < 10
