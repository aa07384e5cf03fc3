"""Orders, trades and positions are what the exchange's books say, read within its rules."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from providers import errors
from providers.binance import Provider, history
from providers.binance.refusals import OrderArchived
from providers.binance.rows import conditional_order, spot_order
from providers.binance.sandbox import Sandbox
from providers.sandbox.inside import sender
from providers.trading import Market, Sought
from providers.wire import drive
from tests.fixtures_still import NOW

BTC = Market("BTCUSDT", "BTC", "USDT")
CONTRACT = Market("BTCUSDT", "BTC", "USDT", "futures")
SINCE = NOW - timedelta(days=30)


def everything(ask, what, book, *, now=NOW, since=SINCE, cursor="", by=None):
    """Return all rows after `cursor`, page after page, and the last cursor."""
    found, more = [], True
    while more:
        page = ask(
            lambda a, c=cursor: getattr(a, what)(book, c, now=now, since=since), by
        )
        found += page.rows
        cursor, more = page.cursor, page.more
    return found, cursor


# -- which markets


def test_books_are_the_markets_of_what_was_held_and_the_contracts_that_were_traded(ask):
    held = {"BTC", "ETH", "USDT"}

    assert ask(lambda a: a.books(held, [])) == [
        "futures:BTCUSDT",
        "spot:BTCUSDT",
        "spot:ETHBTC",
        "spot:ETHUSDT",
    ]
    known = Market("LUNAUSDT", "LUNA", "USDT")
    assert "spot:LUNAUSDT" in ask(lambda a: a.books(set(), [known]))
    wide = ask(lambda a: a.books({"EUR"}, [], wide=True))
    assert wide == ["spot:BTCEUR", "spot:ETHEUR", "spot:EURUSDT"]
    assert "futures:SOLUSDT" in ask(lambda a: a.books({"USDT"}, [], wide=True))


# -- orders


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


# -- trades


def test_trades_are_told_whole_with_fees_and_realised_profit(exchange, ask):
    exchange.place_order("alex", "BTCUSDT", "SELL", "0.020", segment="futures")
    exchange.price("BTCUSDT", "65000")

    bought, sold = everything(ask, "trades", "futures:BTCUSDT")[0]

    assert (bought.side, bought.quantity, bought.pnl) == ("buy", Decimal("0.05"), 0)
    assert (sold.side, sold.quantity, sold.pnl) == ("sell", Decimal("0.02"), 0)
    assert (sold.fee, sold.fee_asset) == (Decimal("1.285206"), "USDT")
    (spot,) = everything(ask, "trades", "spot:ETHUSDT")[0]
    assert (spot.price, spot.cost) == (Decimal("3120.45"), Decimal("1560.225"))
    assert (spot.fee, spot.fee_asset, spot.pnl) == (Decimal("0.0005"), "ETH", None)


class Past:
    """Trades at given moments of the past, told in pages of three rows."""

    def __init__(self, moments, segment):
        self.exchange = Sandbox()
        self.exchange.clock.freeze(NOW - timedelta(days=100))
        wish = {"spot": {"USDT": "1000000"}, "futures": {"USDT": "1000000"}}
        (self.person,) = self.exchange.add_customers(["pat"], **wish)
        self.adapter = Provider(self.person.credentials)
        self.segment = segment
        for ago in sorted(moments, reverse=True):
            self.exchange.clock.freeze(NOW - ago)
            self.trade()
        self.exchange.clock.freeze(NOW)

    def trade(self):
        self.exchange.place_order(
            "pat", "BTCUSDT", "BUY", "0.001", segment=self.segment
        )

    def ask(self, call, by=None):
        return drive(call(self.adapter), sender(self.adapter, self.exchange))

    def made(self, since):
        topic = (
            f"trades:{self.segment}:{self.person.holdings[0].external_id[5:-5]}:BTCUSDT"
        )
        rows = self.exchange.ledger.topic(topic).values()
        first = since.timestamp() * 1000
        return [f"{row['id']}" for row in rows if row["time"] >= first]


spans = st.lists(
    st.integers(0, 45 * 24).map(lambda hours: timedelta(hours=hours)), max_size=14
)


@pytest.mark.parametrize("segment", ["spot", "futures"])
@settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(spans=spans, later=st.integers(0, 5))
@example(spans=[timedelta(days=days) for days in (30, 23, 16, 9, 2)], later=1)
def test_every_trade_since_then_is_told_once(monkeypatch, segment, spans, later):
    monkeypatch.setattr(history, "PAGE", 3)
    past = Past(spans, segment)
    book = f"{segment}:BTCUSDT"
    same = {}
    for span in spans:
        same[span] = same.get(span, 0) + 1
    if segment == "futures" and max(same.values(), default=0) >= 3:
        return  # more in one millisecond than one answer tells: see below

    found, cursor = everything(past.ask, "trades", book)
    assert [t.external_id for t in found] == past.made(SINCE)

    for minute in range(later):
        past.exchange.clock.freeze(NOW + timedelta(minutes=minute + 1))
        past.trade()
    now = NOW + timedelta(hours=1)
    news, cursor = everything(past.ask, "trades", book, now=now, cursor=cursor)
    assert len(news) == later
    assert [t.external_id for t in found + news] == past.made(SINCE)
    assert everything(past.ask, "trades", book, now=now, cursor=cursor)[0] == []


def test_more_in_one_moment_than_is_told_has_a_name(monkeypatch):
    monkeypatch.setattr(history, "PAGE", 3)
    past = Past([timedelta(days=1)] * 4, "futures")

    with pytest.raises(errors.UnexpectedResponse, match="one moment"):
        everything(past.ask, "trades", "futures:BTCUSDT")


def test_most_accounts_cost_one_request_for_each_symbol():
    past, asked = Past([timedelta(days=n) for n in range(29)], "spot"), []
    send = sender(past.adapter, past.exchange)

    def counted(request):
        asked.append((request.path, dict(request.params)))
        return send(request)

    call = past.adapter.trades("spot:BTCUSDT", "", now=NOW, since=SINCE)
    assert len(drive(call, counted).rows) == 29
    assert asked[0] == ("/api/v3/myTrades", {"symbol": "BTCUSDT", "limit": "1000"})
    assert [path for path, _ in asked[1:]] == ["/api/v3/exchangeInfo"]


def test_cursor_and_book_that_make_no_sense_are_refused(ask):
    for book, cursor in (("spot:BTCUSDT", "x"), ("margin:BTCUSDT", ""), ("spot:", "")):
        with pytest.raises(errors.Refused):
            ask(lambda a, b=book, c=cursor: a.trades(b, c, now=NOW, since=SINCE))


# -- positions


def test_position_is_told_while_it_is_open(exchange, ask):
    exchange.price("BTCUSDT", "65000")

    (position,) = ask(lambda a: a.positions())

    assert (position.market, position.side, position.quantity) == (
        CONTRACT,
        "long",
        Decimal("0.05"),
    )
    assert position.pnl == (65_000 - Decimal("64260.3")) * Decimal("0.05")
    assert position.liquidation_price is None
    exchange.place_order("alex", "BTCUSDT", "SELL", "0.070", segment="futures")
    (turned,) = ask(lambda a: a.positions())
    assert (turned.side, turned.quantity) == ("short", Decimal("0.02"))
    exchange.place_order("alex", "BTCUSDT", "BUY", "0.020", segment="futures")
    assert ask(lambda a: a.positions()) == []


def test_spot_has_no_positions(alex):
    adapter = Provider({**alex.credentials, "markets": "spot"})

    assert drive(adapter.positions(), None) == []


# -- rates


def test_rates_are_direct_inverse_or_over_another_asset(ask):
    found = {
        q.base: q.value
        for q in ask(lambda a: a.quotes(["BTC", "USDT", "SOL", "LUNA", "XYZ"], "EUR"))
    }

    assert found["BTC"] == Decimal("59260.44")
    assert abs(found["USDT"] * Decimal("1.0842") - 1) < Decimal("1e-20")
    assert abs(found["SOL"] - found["USDT"] * Decimal("148.36")) < Decimal("1e-20")
    assert set(found) == {"BTC", "USDT", "SOL"}


# -- all of it


def test_thirty_days_of_a_big_account_are_read_within_the_limits():
    exchange = Sandbox()
    exchange.clock.freeze(NOW)
    wishes = {"orders": 400, "trades": 5_200, "symbols": 12, "markets": ["spot"]}
    (person,) = exchange.add_customers(["pat"], **wishes)
    adapter, weights = Provider(person.credentials), []
    send = sender(adapter, exchange)

    def counted(request):
        weights.append(request.weight)
        return send(request)

    def ask(call, by=None):
        return drive(call(adapter), counted)

    assets = {holding.name for holding in person.holdings}
    books = ask(lambda a: a.books(assets, []))
    found = {
        what: [row for book in books for row in everything(ask, what, book)[0]]
        for what in ("orders", "trades")
    }

    assert len({order.market for order in found["orders"]}) == 12
    for what, rows in found.items():
        topics = [t for t in exchange.ledger.topics if t.startswith(f"{what}:spot:")]
        kept = {
            (topic.rpartition(":")[2], number)
            for topic in topics
            for number in exchange.ledger.topics[topic]
        }
        assert {(row.market.name, row.external_id) for row in rows} == kept
        assert len(rows) == len(kept) == wishes[what]
    assert sum(weights) < 1000  # of the 6000 that may be spent in one minute


# -- orders that wait for a price


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
