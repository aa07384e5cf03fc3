"""Every trade is told once, read within the exchange's rules."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from providers import errors
from providers.binance import Provider, history
from providers.binance.sandbox import Sandbox
from providers.sandbox.inside import sender
from providers.trading import Market
from providers.wire import drive
from tests.fixtures_still import NOW

from .pages import SINCE, everything


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
