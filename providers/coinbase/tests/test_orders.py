"""Orders are what the exchange's books say, in each of their states."""

from __future__ import annotations

from decimal import Decimal

import pytest

from providers import errors
from providers.coinbase import Provider
from providers.coinbase.orders import order
from providers.money import Asset
from providers.sandbox.inside import sender
from providers.trading import Market, Sought
from providers.wire import drive
from tests.fixtures_still import NOW

from .conftest import ROOT
from .rows import MONTH, ORDER


def balances(ask):
    return {r.asset.code: r for r in ask(lambda a: a.observe()).readings}


def test_money_follows_what_happens_to_an_order(bank, ask):
    before = balances(ask)
    wish = {"product": "BTC-GBP", "side": "buy", "size": "0.02", "price": "50000"}
    placed = bank.do("place_order", name="alex", **wish)
    blocked = balances(ask)
    bank.do("fill_order", order=placed, size="0.005", price="49000")
    partly = balances(ask)
    bank.do("end_order", order=placed)
    after = balances(ask)

    pounds = Asset("GBP", 18)
    assert blocked["GBP"].held - before["GBP"].held == pounds.minor("1006")
    assert blocked["GBP"].total == before["GBP"].total
    assert partly["GBP"].held - before["GBP"].held == pounds.minor("754.5")
    assert after["GBP"].held == before["GBP"].held
    assert before["GBP"].total - after["GBP"].total == pounds.minor("245.98")
    assert after["BTC"].total - before["BTC"].total == 5 * 10**15


def test_order_without_the_money_is_not_taken(bank):
    bank.demo_world()
    wish = {"product": "BTC-GBP", "side": "sell", "size": "1", "price": "50000"}

    with pytest.raises(ValueError, match="not enough"):
        bank.do("place_order", name="alex", **wish)


def test_order_is_told_in_each_of_its_states(bank, adapter, ask):
    wish = {"product": "SOL-GBP", "side": "sell", "size": "10", "price": "140"}
    placed = bank.do("place_order", name="alex", client_id="mine", **wish)

    def seen():
        sought = Sought(placed, Market("SOL-GBP", "SOL", "GBP"))
        return ask(lambda a: a.find_order(sought))

    def is_open():
        return placed in {o.external_id for o in ask(lambda a: a.open_orders())}

    fresh = seen()
    assert (fresh.status, fresh.filled, fresh.client_id) == ("open", 0, "mine")
    assert (fresh.side, fresh.kind, fresh.price) == ("sell", "limit", 140)
    assert is_open()
    bank.do("fill_order", order=placed, size="2.5")
    part = seen()
    assert (part.status, part.filled, part.cost) == (
        "partially_filled",
        Decimal("2.5"),
        350,
    )
    assert is_open()
    bank.do("fill_order", order=placed)
    assert (seen().status, seen().filled, seen().updated) == ("filled", 10, NOW)
    assert not is_open()


@pytest.mark.parametrize(
    ("status", "meant"),
    [("CANCELLED", "cancelled"), ("EXPIRED", "expired"), ("FAILED", "rejected")],
)
def test_orders_end_in_different_ways(bank, ask, status, meant):
    placed = ask(lambda a: a.open_orders())[0]
    bank.do("end_order", order=placed.external_id, status=status)

    sought = Sought(placed.external_id, placed.market)

    assert ask(lambda a: a.find_order(sought)).status == meant


def test_order_that_never_was_differs_from_one_that_cannot_be_looked_up(bank, ask):
    market = Market("BTC-GBP", "BTC", "GBP")
    other = bank.add_customers(["bea"])[0]
    theirs = drive(
        Provider(other.credentials).open_orders(),
        sender(Provider(other.credentials), bank),
    )

    for nobody in ("none", "../accounts", theirs[0].external_id):
        sought = Sought(nobody, market)
        assert ask(lambda a, s=sought: a.find_order(s)) is None
    for fault in ({"action": "5xx", "status": 404}, {"action": "5xx", "status": 502}):
        bank.fault(**fault)
        with pytest.raises(errors.ProviderError):
            ask(lambda a: a.find_order(Sought("none", market)))


@pytest.mark.parametrize(
    "status", ["PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED"]
)
def test_order_that_waits_for_the_exchange_is_among_the_open_ones(bank, ask, status):
    placed, *_ = ask(lambda a: a.open_orders())
    held = {r.external_id: r.held for r in ask(lambda a: a.observe()).readings}

    bank.do("queue_order", order=placed.external_id, status=status)

    found = {o.external_id: o.status for o in ask(lambda a: a.open_orders())}
    assert found[placed.external_id] == placed.status
    assert len(found) == 2
    after = ask(lambda a: a.observe()).readings
    assert {r.external_id: r.held for r in after} == held


def test_open_orders_are_not_asked_for_together_with_others(client):
    wish = (("order_status", "OPEN"), ("order_status", "PENDING"))

    assert client(f"{ROOT}/orders/historical/batch", *wish)[0] == 400


def test_order_for_an_amount_of_the_quote_is_as_large_as_what_was_filled(bank, ask):
    wish = {"product": "ETH-GBP", "side": "buy", "quote_size": "500"}
    placed = bank.do("place_order", name="alex", **wish)
    sought = Sought(placed, Market("ETH-GBP", "ETH", "GBP"))
    assert ask(lambda a: a.find_order(sought)).quantity == 0

    bank.do("fill_order", order=placed, price="2500", maker=False)

    found = ask(lambda a: a.find_order(sought))
    fill = ask(lambda a: a.trades("all", "", **MONTH)).rows[-1]
    assert (found.quantity, found.cost, found.kind) == (Decimal("0.2"), 500, "market")
    assert (fill.quantity, fill.cost, fill.fee) == (Decimal("0.2"), 500, 3)
    assert fill.maker is False


@pytest.mark.parametrize(
    "status", ["PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED"]
)
def test_order_that_waits_for_something_is_open(status):
    told = order(
        {}, ORDER | {"status": status, "last_fill_time": "0001-01-01T00:00:00Z"}
    )

    assert (told.status, told.filled, told.cost, told.updated) == (
        "open",
        0,
        None,
        None,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "UNKNOWN_ORDER_STATUS"},
        {"status": None},
        {"order_configuration": {"a": {}, "b": {}}},
        {"order_configuration": {"a": 1}},
        {"filled_size": "x"},
        {"created_time": None},
    ],
)
def test_order_that_makes_no_sense_is_refused(changes):
    with pytest.raises((ValueError, TypeError, LookupError)):
        order({}, ORDER | changes)


@pytest.mark.parametrize("told", [{}, None])
def test_order_that_says_nothing_of_what_it_asked_for_is_as_large_as_what_was_filled(
    told,
):
    changes = {"order_configuration": told, "status": "FILLED", "filled_size": "3"}

    found = order({}, ORDER | changes)

    assert (found.quantity, found.filled, found.price) == (3, 3, None)
