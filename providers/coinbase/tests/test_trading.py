"""Orders, fills and positions are what the exchange's books say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from providers import errors
from providers.coinbase import Provider, speaking
from providers.coinbase.markets import Product
from providers.coinbase.orders import order, positions, trade
from providers.coinbase.sandbox.exchange import FILL_FIGURES, FORGERIES, ORDER_FIGURES
from providers.money import Asset
from providers.sandbox.inside import sender
from providers.trading import Market, Sought
from providers.wire import drive
from tests.fixtures_still import NOW

from .conftest import ROOT

MONTH = {"now": NOW, "since": NOW - timedelta(days=31)}


def everything(adapter, bank, what, cursor=""):
    """Return all rows of one history, page after page, and where the last one ended."""
    found, more = [], True
    while more:
        call = getattr(adapter, what)("all", cursor, **MONTH)
        page = drive(call, sender(adapter, bank))
        found += page.rows
        cursor, more = page.cursor, page.more
    return found, cursor


def balances(ask):
    return {r.asset.code: r for r in ask(lambda a: a.observe()).readings}


# -- what happens at the exchange


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


# -- histories


def test_history_is_told_oldest_first_and_again_where_it_may_not_be_final(bank, ask):
    read = lambda cursor: ask(lambda a: a.trades("all", cursor, **MONTH))  # noqa: E731
    first = read("")
    assert [t.created for t in first.rows] == sorted(t.created for t in first.rows)
    assert (len(first.rows), first.more) == (4, False)

    placed = ask(lambda a: a.open_orders())[0].external_id
    bank.do("fill_order", order=placed, size="0.01", when="2026-01-31T11:58:30Z")

    assert [t.order_id for t in read(first.cursor).rows] == [placed]
    assert read(first.cursor).cursor == first.cursor


def test_month_of_trading_that_is_too_much_for_one_call_is_read_whole(
    bank, monkeypatch
):
    monkeypatch.setattr(speaking, "MOST_PAGES", 3)
    customer = bank.add_customers(["busy"], orders=330, trades=1500)[0]
    adapter = Provider(customer.credentials)

    trades, _ = everything(adapter, bank, "trades")
    orders, _ = everything(adapter, bank, "orders")

    books = {topic: bank.ledger.topic(topic) for topic in ("fills", "orders")}
    assert {t.external_id for t in trades} == books["fills"].keys()
    assert {o.external_id for o in orders} == books["orders"].keys()
    for told in trades[::97]:
        row = books["fills"][told.external_id]["api"]
        assert told.quantity * told.price == told.cost
        assert (f"{told.quantity}", f"{told.fee}") == (row["size"], row["commission"])
    assert len({t.market for t in trades}) == 12
    assert [t.created for t in trades] == sorted(t.created for t in trades)


def test_filled_sums_of_orders_agree_with_their_fills(bank):
    customer = bank.add_customers(["busy"], orders=40, trades=200)[0]
    adapter = Provider(customer.credentials)

    fills = everything(adapter, bank, "trades")[0]

    for told in everything(adapter, bank, "orders")[0]:
        own = [t for t in fills if t.order_id == told.external_id]
        assert sum(t.quantity for t in own) == told.filled
        assert sum(t.cost for t in own) == told.cost


# -- what is special


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


def test_contract_that_nobody_lists_has_no_size_to_guess(bank, ask):
    bank.demo_world()
    wish = {"side": "long", "contracts": "1", "entry": "1"}
    bank.do("take_position", name="alex", product="BIT-24DEC27-CDE", **wish)
    bank.fault("replace", path=f"{ROOT}/products", value={"product_id": "other"})

    with pytest.raises(errors.UnexpectedResponse):
        ask(lambda a: a.positions())


def test_positions_are_told_in_what_their_contracts_are_of(bank, ask):
    bank.demo_world()
    assert ask(lambda a: a.positions()) == []
    bank.do(
        "take_position",
        name="alex",
        product="BIT-24DEC27-CDE",
        side="short",
        contracts="3",
        entry="70000",
    )

    (held,) = ask(lambda a: a.positions())

    assert held.market == Market("BIT-24DEC27-CDE", "BTC", "USD", "futures")
    assert (held.side, held.quantity) == ("short", Decimal("0.03"))
    assert (held.entry_price, held.mark_price) == (70000, 69165)
    assert (held.pnl, held.pnl_asset) == (Decimal("25.05"), "USD")


FUTURE = Product(Market("BIT-24DEC27-CDE", "BTC", "USD", "futures"), Decimal("0.01"))


def test_prices_of_positions_are_read_with_and_without_their_currency():
    plain = {
        "product_id": FUTURE.market.name,
        "side": "LONG",
        "number_of_contracts": "2",
        "current_price": "50000.00",
        "avg_entry_price": "49000.00",
        "unrealized_pnl": "20.00",
        "liquidation_price": "40000.00",
    }
    prices = [
        k for k in plain if k not in ("product_id", "side", "number_of_contracts")
    ]
    dressed = plain | {k: {"value": plain[k], "currency": "USD"} for k in prices}

    first, second = (
        positions({FUTURE.market.name: FUTURE}, {"positions": [row]})
        for row in (plain, dressed)
    )

    assert first == second
    assert (first[0].quantity, first[0].liquidation_price) == (Decimal("0.02"), 40000)
    assert positions({FUTURE.market.name: FUTURE}, {"positions": []}) == []


FILL = {
    "entry_id": "e1",
    "order_id": "o1",
    "trade_time": "2023-11-26T10:19:47.504Z",
    "trade_type": "FILL",
    "price": "0.392",
    "size": "10",
    "commission": "0.03136",
    "product_id": "ADA-USDT",
    "liquidity_indicator": "TAKER",
    "size_in_quote": False,
    "side": "SELL",
}


def test_fill_of_a_future_is_told_in_what_it_is_of():
    row = FILL | {"product_id": FUTURE.market.name, "price": "69000", "size": "2"}

    told = trade({FUTURE.market.name: FUTURE}, row)

    assert (told.quantity, told.cost) == (Decimal("0.02"), 1380)
    assert (told.fee_asset, told.market) == ("USD", FUTURE.market)


def test_fill_that_is_reversed_goes_the_other_way():
    plain, back = (trade({}, FILL | {"trade_type": t}) for t in ("FILL", "REVERSAL"))

    assert back == replace(plain, side="buy", fee=-plain.fee)


@pytest.mark.parametrize(
    "changes",
    [
        {"entry_id": ""},
        {"price": "0"},
        {"size": "-1"},
        {"size": 10},
        {"price": "1e3"},
        {"price": "NaN"},
        {"side": "UNKNOWN_ORDER_SIDE"},
        {"trade_type": "GIFT"},
        {"trade_time": "yesterday"},
        {"trade_time": "2023-11-26T10:19:47"},
        {"product_id": "ADA"},
        {"product_id": "ADA-"},
        {"product_id": "ADA-PERP-INTX"},
    ],
)
def test_fill_that_makes_no_sense_is_refused(changes):
    with pytest.raises((ValueError, TypeError, LookupError)):
        trade({}, FILL | changes)


ORDER = {
    "order_id": "o1",
    "product_id": "ADA-USDT",
    "order_configuration": {
        "limit_limit_gtc": {"base_size": "10", "limit_price": "0.4"}
    },
    "side": "SELL",
    "status": "OPEN",
    "created_time": "2023-11-26T10:19:47.423220Z",
    "filled_size": "",
    "filled_value": "",
    "order_type": "LIMIT",
}


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


# -- what others say


def test_tale_of_a_client_is_compared_with_the_books(bank, ask):
    placed = [o.external_id for o in ask(lambda a: a.open_orders())]
    rows = {t: bank.ledger.topic(t) for t in ("orders", "fills")}
    figures = {"orders": ORDER_FIGURES, "fills": FILL_FIGURES}
    orders, fills = (
        {id: [row["api"][n] for n in figures[t]] for id, row in rows[t].items()}
        for t in ("orders", "fills")
    )
    heard = dict.fromkeys(placed, "OPEN")
    tale = {"orders": orders, "trades": fills, "heard": heard, "refused": FORGERIES}
    tale |= {"edwards": {}}

    assert bank.disputes(tale) == []
    for lie in (
        {"orders": {**orders, placed[0]: ["FILLED", "1", "0"]}},
        {"trades": dict([*fills.items()][1:])},
        {"refused": FORGERIES[1:]},
        {"edwards": {"none": "0"}},
        {"heard": {}},
        {"heard": {placed[0]: "FILLED"}},
    ):
        assert len(bank.disputes(tale | lie)) == 1


@pytest.mark.parametrize("told", [{}, None])
def test_order_that_says_nothing_of_what_it_asked_for_is_as_large_as_what_was_filled(
    told,
):
    changes = {"order_configuration": told, "status": "FILLED", "filled_size": "3"}

    found = order({}, ORDER | changes)

    assert (found.quantity, found.filled, found.price) == (3, 3, None)
