"""The stream tells what is true of balances, orders and trades, mostly without REST."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from providers.sandbox.wire import Answer
from providers.trading import FILLED
from tests.fixtures_still import NOW

from .talking import Line, place, told, truth


def test_first_picture_is_whole_and_took_one_look(exchange, line):
    assert line.looks == 1
    assert line.tells[0].whole
    assert len(line.orders) == 2
    assert line.notes == [] or all(note.online for note in line.notes)


@pytest.mark.parametrize("of_wallet", [False, True])
@pytest.mark.parametrize("code", ["ZEUR", "ZUSD"])  # some dollars are earning elsewhere
def test_money_that_comes_in_is_told_at_once_and_without_rest(
    exchange, line, code, of_wallet
):
    exchange.configure(extra={"wallet_balances": of_wallet})
    before = exchange.requests
    for amount in ("1", "2.5", "0.0001"):
        exchange.do("deposit", name="alex", code=code, amount=amount)
        line.pump()
        assert told(line) == truth(exchange)

    assert exchange.requests == before
    assert line.readings[f"AA01N84G00000001:{code}"].as_of is not None


def test_trade_is_told_with_its_order_and_fee(exchange, line):
    order = place(exchange, side="sell", price="64000.0")
    id = exchange.do("fill_order", order=order)
    line.pump()

    trade = line.trades[id]
    assert (trade.order_id, trade.side, trade.quantity) == (
        order,
        "sell",
        Decimal("0.02"),
    )
    assert (trade.cost, trade.fee, trade.fee_asset) == (1280, Decimal("3.2"), "USD")
    assert (trade.maker, trade.pnl) == (True, None)
    assert line.orders[order].status == FILLED


def test_stream_and_rest_tell_the_same_orders_and_trades(exchange, adapter, line, ask):
    order = place(exchange, client_id="mine")
    exchange.clock.advance(1)
    trade = exchange.do("fill_order", order=order, quantity="0.01")
    line.wait(7)
    since = {"now": NOW, "since": NOW}

    (by_rest,) = (o for o in ask(adapter.open_orders()) if o.external_id == order)
    mine = line.orders[order]
    for name in ("market", "side", "kind", "status", "quantity", "filled", "cost"):
        assert getattr(mine, name) == getattr(by_rest, name), name
    assert (mine.created, mine.price, mine.client_id) == (
        by_rest.created,
        by_rest.price,
        "mine",
    )
    rows = {t.external_id: t for t in ask(adapter.trades("all", "", **since)).rows}
    assert line.trades[trade] == rows[trade]


def test_staking_is_seen_in_both_accounts(exchange, line):
    exchange.do("stake", name="alex", code="DOT", into="DOT28.S", amount="20")
    line.wait(7)
    assert told(line) == truth(exchange)

    line.wait(60)
    assert line.looks == 2  # comparing costs none


def test_asset_that_rest_calls_otherwise_is_asked_about_twice_and_no_more(
    exchange, adapter
):
    exchange.do("deposit", name="alex", code="LINK", amount="1")
    told_of = exchange.balance_ex

    def without(asked):
        answer = json.loads(told_of(asked).body)
        answer["result"].pop("LINK")
        return Answer.of(answer)

    exchange.spoken.exact["POST", "/0/private/BalanceEx"] = without
    line = Line(exchange, adapter)
    line.wait(120)

    assert line.feed.live
    assert line.looks == 2


def test_asset_that_nobody_can_name_leaves_the_others_live(exchange, adapter):
    told_of = exchange.assets

    def without(asked):
        answer = json.loads(told_of(asked).body)
        answer["result"].pop("ADA")
        return Answer.of(answer)

    exchange.spoken.exact["GET", "/0/public/Assets"] = without
    line = Line(exchange, adapter)
    line.wait(60)

    assert line.feed.live
    assert line.looks <= 3
    rest = {id: held for id, held in truth(exchange).items() if not id.endswith(":ADA")}
    assert told(line) == rest


def test_quiet_stream_asks_rest_for_nothing(exchange, line):
    before = exchange.requests
    line.wait(300)

    assert exchange.requests == before
    assert line.feed.live


def test_new_asset_gets_its_account(exchange, line):
    exchange.do("deposit", name="alex", code="LINK", amount="12.5")
    line.wait(7)

    assert told(line) == truth(exchange)
    assert "AA01N84G00000001:LINK" in line.readings


def test_every_digit_of_a_number_counts(exchange, line):
    exchange.do("deposit", name="alex", code="ZEUR", amount="900719925474.0993")
    line.pump()

    assert told(line) == truth(exchange)


def test_connection_ids_and_heartbeats_are_as_documented(exchange, adapter):
    talk = Line(exchange, adapter).talk
    assert talk.facts["id"] > 2**53
    exchange.clock.advance(1)
    exchange.beat_all()

    assert [json.loads(frame.text) for frame in talk.ready()] == [
        {"channel": "heartbeat"}
    ]
