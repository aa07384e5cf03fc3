"""Rows as they are documented, and all rows of a history."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from providers.coinbase.markets import Product
from providers.sandbox.inside import sender
from providers.trading import Market
from providers.wire import drive
from tests.fixtures_still import NOW

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


FUTURE = Product(Market("BIT-24DEC27-CDE", "BTC", "USD", "futures"), Decimal("0.01"))


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
