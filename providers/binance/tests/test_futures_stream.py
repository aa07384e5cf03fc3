"""The stream of futures says when to look at the wallets, and for how long it lasts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from providers import errors
from tests.fixtures_still import NOW

from .line import Line


@pytest.fixture
def futures(exchange, adapter):
    line = Line(exchange, adapter, "futures")
    line.settle()
    return line


def wallets(exchange, ask):
    seen = ask(lambda adapter: adapter.snapshot("futures"))
    return {r.external_id: (r.total, r.held) for r in seen.readings}


def test_wallets_follow_trades_and_transfers(exchange, futures, ask):
    order = exchange.place_order(
        "alex", "BTCUSDT", "SELL", "0.020", "65000", segment="futures"
    )
    exchange.fill_order("alex", "BTCUSDT", order, segment="futures")
    exchange.deposit("alex", "USDT", "250", segment="futures")
    futures.wait(3)

    assert futures.held() == wallets(exchange, ask)
    assert futures.feed.live
    assert futures.orders["BTCUSDT", f"{order}"].status == "filled"
    (trade,) = futures.trades.values()
    since = NOW - timedelta(days=1)
    read = ask(lambda a: a.trades("futures:BTCUSDT", "", now=futures.now, since=since))
    assert trade == read.rows[-1]
    assert trade.pnl == (65_000 - Decimal("64260.3")) * Decimal("0.02")


def test_many_events_are_one_look(exchange, futures):
    for _ in range(5):
        exchange.deposit("alex", "USDT", "1", segment="futures")
    before = futures.asked.count("/fapi/v3/balance")
    futures.wait(3)

    assert futures.asked.count("/fapi/v3/balance") == before + 1


def test_wallets_are_read_once_a_second_at_most(exchange, futures):
    before = futures.asked.count("/fapi/v3/balance")
    for _ in range(20):
        exchange.clock.advance(0.1)
        exchange.deposit("alex", "USDT", "1", segment="futures")
        futures.settle()
        futures.carry_out(futures.feed.tick(futures.now))

    assert futures.asked.count("/fapi/v3/balance") - before in (1, 2)


def test_listen_key_is_kept_alive_and_its_end_is_noticed(exchange, futures):
    futures.wait(4000)
    assert futures.hung is None
    assert futures.asked.count("/fapi/v1/listenKey") == 3

    exchange.expire_listen_key("alex")
    exchange.beat_all()
    futures.settle()
    assert futures.hung


def test_listen_key_that_is_lost_ends_the_connection(exchange, futures):
    exchange.expire_listen_key("alex")

    with pytest.raises(errors.Refused):
        futures.wait(1801)
