"""What may happen at an exchange, and what is then said of balances and orders."""

from __future__ import annotations

from datetime import timedelta

import pytest

from providers import errors
from providers.binance import Provider
from providers.binance.sandbox.errors import REFUSALS, body
from providers.sandbox.inside import sender
from providers.trading import Sought
from providers.wire import drive
from tests.fixtures_still import NOW

EXECUTED = {"status": 504, "body": body(*REFUSALS["outcome_unknown"][1:])}


@pytest.fixture
def tess(exchange):
    """Somebody on the test network, who has traded."""
    (tess,) = exchange.add_customers(["tess"], testnet=True)
    exchange.place_order("tess", "ETHUSDT", "BUY", "0.5000")
    exchange.place_order("tess", "BTCUSDT", "BUY", "0.01000", "60000")
    exchange.place_order("tess", "BTCUSDT", "BUY", "0.010", segment="futures")
    return Provider(tess.credentials)


@pytest.mark.parametrize(
    "fault", [{"action": "5xx", "status": 502}, {"action": "act_then_500", **EXECUTED}]
)
def test_answer_that_fails_after_the_work_was_done_says_nothing(exchange, ask, fault):
    exchange.fault(times=None, **fault)

    for call in (
        lambda a: a.observe(),
        lambda a: a.open_orders(),
        lambda a: a.trades("spot:ETHUSDT", "", now=NOW, since=NOW),
        lambda a: a.positions(),
    ):
        with pytest.raises(errors.Unavailable):
            ask(call)


def test_maintenance_is_no_reason_to_doubt_the_key(exchange, ask):
    exchange.do("maintenance")
    with pytest.raises(errors.Unavailable):
        ask(lambda adapter: adapter.observe())

    exchange.do("maintenance", on=False)
    assert ask(lambda adapter: adapter.observe()).complete


def test_key_that_was_deleted_is_refused(exchange, ask):
    exchange.do("revoke", name="alex")

    with pytest.raises(errors.AuthenticationFailed):
        ask(lambda adapter: adapter.observe())


def test_key_is_worth_nothing_on_the_other_network(exchange, alex, ask):
    stranger = Provider({**alex.credentials, "testnet": "yes"})

    with pytest.raises(errors.AuthenticationFailed):
        ask(lambda adapter: adapter.observe(), stranger)


def test_accounts_of_the_test_network_are_others_than_the_real_ones(ask, tess):
    seen = ask(lambda adapter: adapter.observe(), tess)

    assert seen.complete
    assert all(r.external_id.startswith("testnet:") for r in seen.readings)


def test_reset_of_the_test_network_looks_like_it_and_leaves_the_real_one(
    exchange, ask, tess, alex
):
    before = {o.external_id: o for o in ask(lambda a: a.open_orders(), tess)}
    real = exchange.customer("alex")
    assert ask(lambda a: a.positions(), tess)

    exchange.do("reset_world")

    assert ask(lambda a: a.open_orders(), tess) == []
    assert ask(lambda a: a.positions(), tess) == []
    sought = [Sought(o.external_id, o.market) for o in before.values()]
    assert [ask(lambda a, s=s: a.find_order(s), tess) for s in sought] == [None]
    since = NOW - timedelta(days=30)
    page = ask(lambda a: a.trades("spot:ETHUSDT", "", now=NOW, since=since), tess)
    assert page.rows == []
    held = {r.external_id: r.total for r in ask(lambda a: a.observe(), tess).readings}
    assert held == {id: exchange.balance(id) for id in held}
    assert exchange.customer("alex") == real


def test_requests_beyond_the_limit_are_told_when_to_come_back(exchange, adapter):
    send = sender(adapter, exchange)
    exchange.clock.advance(30)
    with pytest.raises(errors.RateLimited) as raised:
        while True:
            drive(adapter.open_orders(), send)

    assert raised.value.retry_after == 31
    exchange.clock.advance(31)
    assert drive(adapter.observe(), send).complete


def test_weights_that_are_paid_are_those_that_are_charged(exchange, adapter):
    """What the budget thinks a request costs is what the exchange counts."""
    send, wrong = sender(adapter, exchange), []
    charged = {"api": 0, "futures": 0}

    def counted(request):
        response = send(request)
        used = adapter.used(response)
        if used - charged[request.host] != request.weight:
            wrong.append((request.path, request.weight, used - charged[request.host]))
        charged[request.host] = used
        return response

    exchange.clock.advance(60)
    since = NOW - timedelta(days=9)
    books = drive(adapter.books({"BTC", "USDT", "ETH"}, []), counted)
    for call in (
        adapter.observe(),
        adapter.permissions(),
        adapter.open_orders(),
        adapter.positions(),
        adapter.quotes(["BTC"], "EUR"),
        *(adapter.trades(book, "", now=NOW, since=since) for book in books),
        *(adapter.orders(book, "", now=NOW, since=since) for book in books),
    ):
        drive(call, counted)
    for order in drive(adapter.open_orders(), counted):
        sought = Sought(order.external_id, order.market)
        assert drive(adapter.find_order(sought), counted) == order

    assert wrong == []
