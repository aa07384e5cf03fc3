"""Orders are what the exchange's books say, open ones until they have ended."""

from __future__ import annotations

from decimal import Decimal

import pytest

from providers import errors
from providers.binance.refusals import OrderArchived
from providers.binance.rows import conditional_order, spot_order
from providers.trading import Market, Sought

from .pages import BTC, CONTRACT, everything


def test_open_orders_are_told_with_what_is_filled(ask):
    found = {
        o.market.name + o.market.segment: o for o in ask(lambda a: a.open_orders())
    }

    assert sorted(found) == ["BTCUSDTspot", "ETHUSDTfutures", "SOLUSDTspot"]
    part = found["SOLUSDTspot"]
    assert (part.status, part.side, part.kind) == ("partially_filled", "buy", "limit")
    assert (part.quantity, part.filled, part.cost) == (10, 4, Decimal("562"))
    assert part.market == Market("SOLUSDT", "SOL", "USDT")


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (None, "open"),
        ("fill_order", "filled"),
        ("cancel_order", "cancelled"),
        ("expire_order", "expired"),
    ],
)
@pytest.mark.parametrize("market", [BTC, CONTRACT], ids=["spot", "futures"])
def test_order_that_is_looked_up_is_as_it_is_now(exchange, ask, market, ending, status):
    where = {"segment": market.segment}
    number = exchange.place_order("alex", "BTCUSDT", "BUY", "0.010", "60000", **where)
    if ending:
        getattr(exchange, ending)("alex", "BTCUSDT", number, **where)

    order = ask(lambda a: a.find_order(Sought(f"{number}", market)))

    assert (order.status, order.quantity, order.price) == (
        status,
        Decimal("0.01"),
        60_000,
    )
    assert order.cost == (600 if status == "filled" else 0)


@pytest.mark.parametrize("market", [BTC, CONTRACT], ids=["spot", "futures"])
def test_order_is_absent_only_if_the_exchange_says_so(exchange, ask, market):
    sought = Sought("1", market)

    assert ask(lambda a: a.find_order(sought)) is None
    for code, error in (
        ("unavailable", errors.Unavailable),
        ("authentication_failed", errors.AuthenticationFailed),
        ("rate_limited", errors.RateLimited),
    ):
        exchange.fault("refuse", code=code)
        with pytest.raises(error):
            ask(lambda a: a.find_order(sought))


def test_other_order_than_the_one_asked_for_is_no_answer(exchange, ask):
    exchange.fault("replace", value={"orderId": 7}, path="/api/v3/order")
    number = exchange.place_order("alex", "BTCUSDT", "BUY", "0.010", "60000")

    with pytest.raises(errors.UnexpectedResponse):
        ask(lambda a: a.find_order(Sought(f"{number}", BTC)))


def test_order_that_ended_unfilled_long_ago_is_archived_and_not_absent(exchange, ask):
    number = exchange.place_order("alex", "BTCUSDT", "BUY", "0.010", "60000")
    exchange.cancel_order("alex", "BTCUSDT", number)
    exchange.clock.advance(91 * 86_400)

    with pytest.raises(OrderArchived):
        ask(lambda a: a.find_order(Sought(f"{number}", BTC)))


def test_orders_that_are_open_are_read_again_until_they_have_ended(exchange, ask):
    first = exchange.place_order("alex", "BTCUSDT", "BUY", "0.010", "60000")
    exchange.place_order("alex", "BTCUSDT", "BUY", "0.010")
    found, cursor = everything(ask, "orders", "spot:BTCUSDT")
    assert [o.status for o in found] == ["open", "open", "filled"]

    exchange.fill_order("alex", "BTCUSDT", first)
    again, cursor = everything(ask, "orders", "spot:BTCUSDT", cursor=cursor)
    assert [o.status for o in again] == ["open", "filled", "filled"]

    oldest = int(again[0].external_id)
    exchange.cancel_order("alex", "BTCUSDT", oldest)
    last, cursor = everything(ask, "orders", "spot:BTCUSDT", cursor=cursor)
    assert [o.status for o in last] == ["cancelled", "filled", "filled"]
    assert everything(ask, "orders", "spot:BTCUSDT", cursor=cursor)[0] == []


def test_cost_below_zero_is_not_known():
    row = {
        "symbol": "BTCUSDT",
        "orderId": 1,
        "clientOrderId": "x",
        "price": "0.1",
        "origQty": "1.0",
        "executedQty": "1.0",
        "cummulativeQuoteQty": "-1.0",
        "status": "FILLED",
        "type": "LIMIT",
        "side": "BUY",
        "time": 1499827319559,
        "updateTime": 1499827319559,
    }

    assert spot_order(row, {"BTCUSDT": BTC}).cost is None


def test_conditional_order_is_open_until_it_has_ended(exchange, ask):
    about = ("alex", "BTCUSDT", "SELL", "0.020", "60000")
    kept, dropped = (exchange.place_conditional(*about) for _ in range(2))
    open_ones = {o.external_id: o for o in ask(lambda a: a.open_orders())}

    order = open_ones[f"algo-{kept}"]
    assert (order.market, order.side, order.kind) == (CONTRACT, "sell", "stop_market")
    assert (order.status, order.quantity, order.filled) == ("open", Decimal("0.02"), 0)

    made = exchange.trigger_conditional("alex", kept)
    exchange.cancel_conditional("alex", dropped)
    assert not {o.external_id for o in ask(lambda a: a.open_orders())} & {
        f"algo-{kept}",
        f"algo-{dropped}",
    }
    found, gone, none, its_order = (
        ask(lambda a, id=id: a.find_order(Sought(id, CONTRACT)))
        for id in (f"algo-{kept}", f"algo-{dropped}", "algo-1", f"{made}")
    )
    assert (found.external_id, found.status) == (f"algo-{kept}", "filled")
    assert (found.filled, found.cost) == (its_order.filled, its_order.cost)
    assert (gone.status, none) == ("cancelled", None)


def test_order_that_closes_a_position_has_no_quantity_of_its_own():
    row = {
        "algoId": 3358,
        "clientAlgoId": "yT58zmV3DSzMBQxc5tAJXU",
        "orderType": "STOP",
        "symbol": "BTCUSDT",
        "side": "BUY",
        "quantity": None,
        "algoStatus": "NEW",
        "price": "102000.00",
        "closePosition": True,
        "createTime": 1763458576201,
        "updateTime": 1763458576201,
    }

    order = conditional_order(row, {"BTCUSDT": CONTRACT})
    assert (order.quantity, order.price) == (0, 102_000)
    with pytest.raises(TypeError):
        conditional_order({**row, "closePosition": False}, {"BTCUSDT": CONTRACT})
