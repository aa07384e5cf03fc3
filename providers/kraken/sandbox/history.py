"""Orders and trades of the past, made up: the same for the same name."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Final

from .books import txid
from .catalogue import PAIRS, Pair
from .engine import Row, fee_of, filled, new_order, new_trade

DAY: Final = 86_400 * 10**6  # microseconds
WORTH: Final = Decimal(25)  # of one fill, in the market's quote
ENDS: Final = ("closed",) * 14 + ("canceled",) * 4 + ("expired", "open")


class History:
    """What one customer traded before; ids count on from what is in the books."""

    def __init__(self, name: str, now: int, orders: int, trades: int) -> None:
        self.name, self.now, self.chance = name, now, Random(name)
        self.next_order, self.next_trade = orders, trades
        self.orders: dict[str, Row] = {}
        self.trades: dict[str, Row] = {}

    @staticmethod
    def codes(markets: int) -> list[str]:
        """Return the assets of the first so many markets, once each."""
        pairs = list(PAIRS.values())[:markets]
        return list(dict.fromkeys(c for p in pairs for c in (p.base, p.quote)))

    def made(self, rows: Sequence[tuple[str, str, str, str, str, int]]) -> None:
        """Add orders as they are listed; what was filled was filled at once."""
        for market, side, quantity, price, end, ago in rows:
            self._order((market, side, quantity, price), end, self.now - ago * DAY, 1)

    def invented(self, trades: int, orders: int, markets: int, days: int) -> None:
        """Add so many orders with so many fills in all, spread over markets and days."""
        ends = [ENDS[i % len(ENDS)] for i in range(orders)]
        closed = ends.count("closed")
        pairs = list(PAIRS.values())[:markets]
        moments = sorted(self.chance.randrange(days * DAY - DAY) for _ in ends)
        for number, (end, moment) in enumerate(zip(ends, moments, strict=True)):
            # The oldest orders have one fill more where they cannot have equally many.
            fills = (trades + closed - 1) // closed if end == "closed" else 0
            if end == "closed":
                trades, closed = trades - fills, closed - 1
            what = self._what(pairs[number % len(pairs)], max(1, fills))
            began = self.now - days * DAY + DAY // 2 + moment
            self._order(what, end, began, fills)

    def _what(self, pair: Pair, fills: int) -> tuple[str, str, str, str]:
        side = self.chance.choice(("buy", "sell"))
        away = Decimal(self.chance.randrange(950, 1050)) / 1000
        price = round(pair.start * away, pair.decimals)
        quantity = fills * max(Decimal("0.0001"), round(WORTH / pair.start, 5))
        return pair.symbol, side, str(quantity), str(price)

    def _order(
        self, what: tuple[str, str, str, str], end: str, began: int, fills: int
    ) -> None:
        self.next_order += 1
        id = txid("O", self.next_order)
        order = new_order(self.name, *what, began)
        if end == "closed":
            for number in range(1, max(1, fills) + 1):
                order = self._fill(id, order, began + number * 10**6, fills)
        elif end != "open":
            reason = {"canceled": "User requested", "expired": "Order expired"}[end]
            order |= {"status": end, "closed": began + DAY // 4, "reason": reason}
        self.orders[id] = order

    def _fill(self, id: str, order: Row, moment: int, fills: int) -> Row:
        self.next_trade += 1
        trade_id = txid("T", self.next_trade)
        part = Decimal(order["quantity"]) / max(1, fills)
        trade = new_trade(id, order, part, Decimal(order["price"]))
        maker = self.chance.random() < 0.7
        moment += self.chance.randrange(999_999)
        trade |= {"time": moment, "maker": maker, "trade_id": self.next_trade}
        trade["fee"] = fee_of(trade, maker)
        self.trades[trade_id] = trade
        return filled(order, trade_id, trade)
