"""What is held for orders is told, though the channel tells only totals."""

from __future__ import annotations

from decimal import Decimal

from providers.kraken.stream.holds import Holds
from providers.money import Asset
from providers.trading import CANCELLED, PARTIALLY_FILLED

from .talking import Line, place, told, truth


def test_holds_stay_true_though_the_channel_has_none(exchange, line):
    id = place(exchange)
    line.wait(7)
    assert told(line) == truth(exchange)

    exchange.do("fill_order", order=id, quantity="0.005")
    line.wait(7)
    assert told(line) == truth(exchange)
    assert line.orders[id].status == PARTIALLY_FILLED

    exchange.do("cancel_order", order=id)
    line.wait(7)
    assert told(line) == truth(exchange)
    assert line.orders[id].status == CANCELLED
    assert line.orders[id].market.name == "BTC/USD"  # though a cancel has no symbol


def test_holds_that_rest_has_proved_are_told_at_once_and_without_rest(exchange, line):
    before = exchange.requests
    id = place(exchange)  # of the two orders that were open before, one buys
    line.pump()
    assert told(line) == truth(exchange)

    exchange.do("fill_order", order=id, quantity="0.005")
    line.pump()
    assert told(line) == truth(exchange)

    exchange.do("cancel_order", order=id)
    line.pump()
    assert told(line) == truth(exchange)
    assert exchange.requests == before


def test_what_was_worked_out_of_holds_is_compared_with_rest_each_minute(exchange, line):
    place(exchange)
    line.wait(50)
    assert line.looks == 1

    line.wait(20)
    assert line.looks == 2


def test_holds_are_not_worked_out_once_rest_told_another_sum(exchange, adapter):
    exchange.configure(extra={"holds_fee": True})
    line = Line(exchange, adapter)
    line.wait(3)
    tells = len(line.tells)
    place(exchange)
    line.pump()
    assert len(line.tells) == tells

    line.wait(7)
    assert told(line) == truth(exchange)


def test_fill_that_only_one_channel_tells_is_looked_at(exchange, line):
    id = place(exchange)
    line.pump()
    exchange.told_of_entries = lambda name, entries: None
    exchange.do("fill_order", order=id)
    line.wait(10)

    assert told(line) == truth(exchange)


def row(**about):
    plain = {"side": "buy", "order_qty": Decimal("0.00001234"), "symbol": "BTC/USD"}
    return {**plain, "limit_price": Decimal("50000.1"), **about}


def test_holds_are_rounded_up_and_believed_by_side_as_rest_proves_them():
    usd, eur = Asset("USD", 4), Asset("EUR", 4)
    rows = {"a": row()}
    holds = Holds(rows)
    assert holds.of(usd) is None  # nothing has proved it
    holds.compare(usd, 6171)
    assert holds.of(usd) == 6171  # 0.61700…

    rows["b"] = row(symbol="BTC/EUR")
    assert holds.of(eur) == 6171
    rows["c"] = row(margin=True)
    assert holds.of(usd) == 6171
    rows["d"] = row(side="sell")
    assert holds.of(Asset("BTC", 10)) is None
    rows["e"] = row(limit_price=None)
    assert holds.of(usd) is None

    holds.compare(eur, 6195)
    assert (holds.of(eur), holds.of(usd)) == (None, None)
    rows.clear()
    assert holds.of(usd) == 0
    assert holds.of(eur) is None  # something else holds euros


def test_order_that_is_placed_while_rest_answers_disproves_nothing(exchange, line):
    line.meanwhile.append(lambda: place(exchange))
    exchange.do("stake", name="alex", code="DOT", into="DOT28.S", amount="20")
    line.wait(10)
    before = exchange.requests
    place(exchange)
    line.pump()

    assert told(line) == truth(exchange)
    assert exchange.requests == before
