"""Reads whole books, page after page."""

from __future__ import annotations

from datetime import timedelta

from providers.trading import Market
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
