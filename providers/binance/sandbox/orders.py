"""Orders that are placed, filled and cancelled; trades and fees follow from them."""

from __future__ import annotations

from abc import abstractmethod
from decimal import ROUND_DOWN, Decimal
from typing import Final

from .holding import Holding, Row, orders_of, reserved, trades_of
from .markets import GRID, OF, Listed, plain

FEE: Final = Decimal("0.001")  # of what is received
FIRST_ID: Final = 1_000_000


class Orders(Holding):
    """The part of the exchange that trades. Customers do so by hand, never by balsync."""

    def place_order(
        self,
        name: str,
        symbol: str,
        side: str,
        quantity: str,
        price: str | None = None,
        *,
        segment: str = "spot",
    ) -> int:
        """Place an order; one without a price is filled at once. Returns its id."""
        account, market = self.account_of(name), OF[segment][symbol]
        number = self.next_number(segment, symbol, "orders")
        order = new_order(number, segment, market, side, quantity, price)
        order["time"] = order["updated"] = self.milliseconds()
        order["price"] = (price and plain(Decimal(price))) or plain(market.price)
        asset, amount = reserved(order)
        if segment == "spot" and amount > self.free(account, asset):
            raise ValueError("Account has insufficient balance for requested action.")
        self._write(account, order)
        self.touch(account)
        self.ordered(account, order, "NEW")
        if price is None:
            self.fill_order(name, symbol, number, segment=segment, maker=False)
        return number

    def fill_order(
        self,
        name: str,
        symbol: str,
        order: int,
        quantity: str | None = None,
        price: str | None = None,
        *,
        segment: str = "spot",
        maker: bool = True,
    ) -> int:
        """Fill an order, whole or in part, and return the trade's id."""
        account = self.account_of(name)
        row = self._open_order(account, segment, symbol, order)
        left = Decimal(row["quantity"]) - Decimal(row["filled"])
        amount = left if quantity is None else Decimal(quantity)
        if not 0 < amount <= left:
            raise ValueError(f"{left} of this order is left")
        trade = self._trade(row, amount, Decimal(price or row["price"]), maker=maker)
        self._settle(account, row, trade)
        topic = trades_of(segment, account, symbol)
        self.ledger.put((topic, f"{trade['id']}", trade))
        self.ordered(account, row, "TRADE", trade)
        return int(trade["id"])

    def cancel_order(
        self, name: str, symbol: str, order: int, *, segment: str = "spot"
    ) -> None:
        """Cancel an order; what it has filled stays."""
        self._end(name, symbol, order, segment, "CANCELED")

    def expire_order(
        self, name: str, symbol: str, order: int, *, segment: str = "spot"
    ) -> None:
        """Let an order expire."""
        self._end(name, symbol, order, segment, "EXPIRED")

    # -- inside

    def next_number(self, segment: str, symbol: str, what: str) -> int:
        """Return the next id in a market; others trade there, too, so there are gaps."""
        key = f"{segment}:{symbol}:{what}"
        number = int(self.ledger.topic("numbers").get(key, FIRST_ID)) + 3
        self.ledger.put(("numbers", key, number), sync=False)
        return number

    def ordered(
        self, account: Row, order: Row, what: str, trade: Row | None = None
    ) -> None:
        """Tell who listens what became of an order; see the sockets."""

    @abstractmethod
    def settle_contract(self, account: Row, order: Row, trade: Row) -> None:
        """Let a trade in a contract change wallet and position; see the futures."""

    def _open_order(self, account: Row, segment: str, symbol: str, order: int) -> Row:
        known = self.ledger.topic(orders_of(segment, account, symbol))
        row: Row = dict(known[f"{order}"])
        if row["status"] not in ("NEW", "PARTIALLY_FILLED"):
            raise ValueError("Unknown order sent.")
        return row

    def _end(
        self, name: str, symbol: str, order: int, segment: str, status: str
    ) -> None:
        account = self.account_of(name)
        row = self._open_order(account, segment, symbol, order)
        row |= {"status": status, "updated": self.milliseconds()}
        self._write(account, row)
        self.touch(account)
        self.ordered(account, row, status)

    def _write(self, account: Row, order: Row) -> None:
        segment, symbol = order["segment"], order["symbol"]
        live = order["status"] in ("NEW", "PARTIALLY_FILLED")
        key = f"{symbol}:{order['id']}"
        self.ledger.put(
            (orders_of(segment, account, symbol), f"{order['id']}", order),
            (f"open:{segment}:{account['id']}", key, live or None),
        )

    def _trade(
        self, order: Row, quantity: Decimal, price: Decimal, *, maker: bool
    ) -> Row:
        number = self.next_number(order["segment"], order["symbol"], "trades")
        trade = new_trade(number, order, quantity, price, maker=maker)
        return {**trade, "time": self.milliseconds()}

    def _settle(self, account: Row, order: Row, trade: Row) -> None:
        """Let a trade change the order and what is held."""
        cost = Decimal(trade["cost"])
        filled = Decimal(order["filled"]) + Decimal(trade["quantity"])
        whole = filled == Decimal(order["quantity"])
        order |= {
            "filled": plain(filled),
            "cost": plain(Decimal(order["cost"]) + cost),
            "status": "FILLED" if whole else "PARTIALLY_FILLED",
            "updated": trade["time"],
        }
        self._write(account, order)
        if order["segment"] == "futures":
            self.settle_contract(account, order, trade)
            return
        self.change(account, "spot", effects(order, trade))


def new_order(
    number: int,
    segment: str,
    market: Listed,
    side: str,
    quantity: str,
    price: str | None,
) -> Row:
    """Return an order nobody has filled yet."""
    if side not in ("BUY", "SELL") or Decimal(quantity) <= 0:
        raise ValueError("An order buys or sells more than nothing")
    return {
        "id": number,
        "segment": segment,
        "symbol": market.symbol,
        "base": market.base,
        "quote": market.quote,
        "side": side,
        "type": "LIMIT" if price else "MARKET",
        "status": "NEW",
        "quantity": plain(Decimal(quantity)),
        "filled": plain(Decimal(0)),
        "cost": plain(Decimal(0)),
        "client": f"by-hand-{number}",
    }


def new_trade(
    number: int, order: Row, quantity: Decimal, price: Decimal, *, maker: bool
) -> Row:
    """Return a fill of `order`, with the fee on what is received."""
    cost = quantity * price
    buys = order["side"] == "BUY"
    futures = order["segment"] == "futures"
    got = quantity if buys and not futures else cost
    fee = (got * FEE).quantize(GRID, ROUND_DOWN)
    return {
        "id": number,
        "order": order["id"],
        "side": order["side"],
        "price": plain(price),
        "quantity": plain(quantity),
        "cost": plain(cost),
        "fee": plain(fee),
        "fee_asset": order["base"] if buys and not futures else order["quote"],
        "maker": maker,
        "pnl": plain(Decimal(0)),
    }


def effects(order: Row, trade: Row) -> dict[str, Decimal]:
    """Return what a spot trade changes of what is held, by asset."""
    sign = 1 if trade["side"] == "BUY" else -1
    found = {
        order["base"]: sign * Decimal(trade["quantity"]),
        order["quote"]: -sign * Decimal(trade["cost"]),
    }
    found[trade["fee_asset"]] -= Decimal(trade["fee"])
    return found


def changed_assets(order: Row, trade: Row | None) -> list[str]:
    """Return the assets that an order, or its fill, may have changed."""
    fee = [trade["fee_asset"]] if trade else []
    return list(dict.fromkeys([order["base"], order["quote"], *fee]))
