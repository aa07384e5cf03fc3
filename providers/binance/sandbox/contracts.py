"""Futures: wallets, margin and positions. Source: the USDⓈ-M futures' documentation."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Final

from .holding import ZERO, Row
from .markets import FUTURES, GRID, plain
from .orders import Orders

LEVERAGE: Final = 10
FLAT: Final[Row] = {"amount": "0.00000000", "entry": "0.00000000", "updated": 0}


class Contracts(Orders):
    """The part of the exchange where contracts are held, long or short, one way."""

    def positions(self, account: Row) -> dict[str, Row]:
        """Return what is held by symbol; what is closed stays, with an amount of zero."""
        return dict(self.ledger.topic(f"positions:{account['id']}"))

    def mark(self, symbol: str) -> Decimal:
        """Return the price a contract is valued at now."""
        told = self.ledger.topic("prices:futures").get(symbol)
        return Decimal(told) if told else FUTURES[symbol].price

    def settle_contract(self, account: Row, order: Row, trade: Row) -> None:
        symbol, quote = order["symbol"], order["quote"]
        before = self.positions(account).get(symbol, FLAT)
        after, gain = traded(before, trade)
        trade["pnl"] = plain(gain)
        topic = f"positions:{account['id']}"
        self.ledger.put((topic, symbol, {**after, "updated": trade["time"]}))
        self.change(account, "futures", {quote: gain - Decimal(trade["fee"])})

    def profit(self, symbol: str, position: Row) -> Decimal:
        """Return the profit that is not realised."""
        amount, entry = Decimal(position["amount"]), Decimal(position["entry"])
        return ((self.mark(symbol) - entry) * amount).quantize(GRID, ROUND_DOWN)

    def margin(self, account: Row, asset: str) -> tuple[Decimal, Decimal]:
        """Return the margin of positions and of open orders in contracts of `asset`."""
        held = orders = ZERO
        for symbol, position in self.positions(account).items():
            if FUTURES[symbol].quote == asset:
                held += abs(Decimal(position["amount"])) * self.mark(symbol)
        for order in self.open_orders(account, "futures"):
            if order["quote"] == asset:
                left = Decimal(order["quantity"]) - Decimal(order["filled"])
                orders += left * Decimal(order["price"])
        return tuple((m / LEVERAGE).quantize(GRID) for m in (held, orders))  # type: ignore[return-value]

    def wallet(self, account: Row, asset: str, total: Decimal) -> dict[str, Decimal]:
        """Return what a wallet comes to."""
        profit = sum(
            (
                self.profit(symbol, position)
                for symbol, position in self.positions(account).items()
                if FUTURES[symbol].quote == asset
            ),
            ZERO,
        )
        used = sum(self.margin(account, asset))
        return {
            "balance": total,
            "profit": profit,
            "available": max(ZERO, total + profit - used),
            "withdrawable": max(ZERO, min(total, total + profit) - used),
        }

    def price(self, symbol: str, price: str, segment: str = "futures") -> None:
        """Let a price be another: of a contract's mark, or of a pair's last trade."""
        self.ledger.put((f"prices:{segment}", symbol, plain(Decimal(price))))


def traded(position: Row, trade: Row) -> tuple[Row, Decimal]:
    """Return a position after a trade, and what was gained by closing (part of) it."""
    amount, entry = Decimal(position["amount"]), Decimal(position["entry"])
    price, quantity = Decimal(trade["price"]), Decimal(trade["quantity"])
    change = quantity if trade["side"] == "BUY" else -quantity
    after = amount + change
    closed = min(abs(amount), quantity) if amount * change < 0 else ZERO
    direction = 1 if amount > 0 else -1
    gain = ((price - entry) * closed * direction).quantize(GRID, ROUND_DOWN)
    if not after:
        entry = ZERO
    elif amount * after <= 0:  # opened, or turned round
        entry = price
    elif not closed:
        entry = ((entry * amount + price * change) / after).quantize(GRID)
    return {"amount": plain(after), "entry": plain(entry)}, gain
