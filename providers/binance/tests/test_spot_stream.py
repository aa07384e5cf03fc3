"""The stream of spot tells what the books say, though frames are lost or late."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

from providers.binance import Provider
from tests.fixtures_still import NOW

from .line import Line, books


def test_stream_begins_with_all_balances_after_the_subscription(exchange, line):
    assert [json.loads(said)["method"] for said in line.said] == [
        "userDataStream.subscribe.signature"
    ]
    assert line.asked == ["/api/v3/account"]
    assert line.feed.live
    assert line.held() == books(exchange)


def test_ed25519_key_logs_on_and_subscribes_for_the_session(exchange):
    (eve,) = exchange.add_customers(["eve"], ed25519=True)
    line = Line(exchange, Provider(eve.credentials), "spot")
    line.settle()

    methods = [json.loads(said)["method"] for said in line.said]
    assert methods == ["session.logon", "userDataStream.subscribe"]
    assert line.feed.live
    assert line.held() == books(exchange, "eve")


def test_every_change_is_told_without_asking_again(exchange, line):
    exchange.clock.advance(1)
    exchange.deposit("alex", "BTC", "0.5")
    order = exchange.place_order("alex", "ETHUSDT", "SELL", "1.0000", "3200")
    exchange.fill_order("alex", "ETHUSDT", order, "0.4000")
    exchange.clock.advance(1)
    exchange.cancel_order("alex", "ETHUSDT", order)
    exchange.lock_up("alex", "BNB", "1")
    exchange.withdraw("alex", "SOL", "45")
    line.settle()
    line.wait(30)

    assert line.held() == books(exchange)
    assert line.asked == ["/api/v3/account", "/api/v3/exchangeInfo"]
    told = line.orders["ETHUSDT", f"{order}"]
    assert (told.status, told.filled, told.client_id) == (
        "cancelled",
        Decimal("0.4"),
        f"by-hand-{order}",
    )
    (trade,) = line.trades.values()
    assert (trade.cost, trade.fee, trade.fee_asset) == (1280, Decimal("1.28"), "USDT")


def test_stream_tells_orders_and_trades_as_rest_does(exchange, adapter, line, ask):
    order = exchange.place_order("alex", "ETHBTC", "BUY", "0.100", "0.04800")
    exchange.fill_order("alex", "ETHBTC", order, "0.060")
    line.settle()

    since = NOW - timedelta(days=1)
    page = ask(lambda a: a.trades("spot:ETHBTC", "", now=NOW, since=since))
    assert list(line.trades.values()) == page.rows
    (read,) = ask(lambda a: a.orders("spot:ETHBTC", "", now=NOW, since=since)).rows
    assert line.orders["ETHBTC", f"{order}"] == read


def test_difference_is_never_added_to_a_balance(exchange, line):
    before = line.held()
    exchange.frames.faults.clear()
    exchange.fault("frame_drop", value="outboundAccountPosition")
    exchange.clock.advance(1)
    exchange.deposit("alex", "BTC", "0.5")
    line.settle()

    assert line.held() == before
    line.wait(6)
    assert line.held() == books(exchange)
    assert line.feed.live


def test_balance_that_does_not_come_is_asked_for(exchange, line):
    exchange.fault("frame_drop", value="outboundAccountPosition")
    exchange.clock.advance(1)
    exchange.place_order("alex", "BTCUSDT", "BUY", "0.01000", "60000")
    line.settle()
    assert line.feed.live  # it may well be on its way

    line.wait(2)
    assert not line.feed.live

    line.wait(4)
    assert line.feed.live
    assert line.held() == books(exchange)


def test_frame_that_is_lost_without_a_trace_is_found_within_a_minute(exchange, line):
    exchange.fault("frame_drop", times=2)
    exchange.clock.advance(1)
    exchange.deposit("alex", "BTC", "0.5")
    line.wait(61)

    assert line.held() == books(exchange)
    assert line.asked.count("/api/v3/account") == 2


def frames_of(line):
    """Take the frames that wait to be heard."""
    return [frame.text for frame in line.talk.ready() if frame.text]


def test_older_balance_does_not_follow_a_newer_one(exchange, line):
    for amount in ("0.5", "0.25"):
        exchange.clock.advance(1)
        exchange.deposit("alex", "BTC", amount)
    for text in reversed(frames_of(line)):
        line.carry_out(line.feed.heard(text, line.now))

    assert line.held() == books(exchange)
    assert line.asked == ["/api/v3/account"]


def test_older_report_changes_no_order_and_leaves_no_trade_out(exchange, line):
    order = exchange.place_order("alex", "ETHUSDT", "SELL", "1.0000", "3200")
    for amount in ("0.3000", "0.7000"):
        exchange.clock.advance(1)
        exchange.fill_order("alex", "ETHUSDT", order, amount)
    for text in reversed(frames_of(line)):
        line.carry_out(line.feed.heard(text, line.now))

    assert line.orders["ETHUSDT", f"{order}"].status == "filled"
    assert sorted(t.quantity for t in line.trades.values()) == [
        Decimal("0.3"),
        Decimal("0.7"),
    ]
    assert line.held() == books(exchange)


def test_answer_older_than_an_event_does_not_undo_it(exchange, line):
    exchange.clock.advance(60)
    exchange.deposit("alex", "BTC", "0.5")
    line.settle()
    exchange.fault("read_lag", seconds=30, path="/api/v3/account")
    stale = exchange.ledger.topic("touched")
    account = exchange.account_of("alex")["id"]
    now, stale[account] = stale[account], exchange.milliseconds() - 60_000
    line.carry_out([line.feed.look(line.now)])
    stale[account] = now

    assert line.held() == books(exchange)
    looks = line.asked.count("/api/v3/account")
    line.wait(6)  # it is not believed for long
    assert line.asked.count("/api/v3/account") == looks + 1


def test_event_of_long_ago_does_not_stand_against_an_answer(exchange, line):
    exchange.clock.advance(1)
    exchange.deposit("alex", "BTC", "0.5")
    line.settle()
    exchange.fault("frame_drop", times=2)
    exchange.withdraw("alex", "BTC", "0.25")
    # As if they did not count this as a change of the account.
    account = exchange.account_of("alex")["id"]
    exchange.ledger.topic("touched")[account] -= 60_000
    line.wait(61)

    assert line.held() == books(exchange)
