"""Positions while they are open, and what assets are worth."""

from __future__ import annotations

from decimal import Decimal

from providers.binance import Provider
from providers.wire import drive

from .pages import CONTRACT


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
