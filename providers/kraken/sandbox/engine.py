"""Orders that are placed, filled and cancelled, and margin positions."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from providers.money import MoneyError

from .books import Books, Line, rounded, txid
from .catalogue import SYMBOLS, Pair, asset_of

MAKER, TAKER = Decimal("0.0025"), Decimal("0.0040")  # of the cost
Row = dict[str, Any]
PLAIN_KINDS: Final = ("limit", "market", "stop-loss-limit")


class Engine(Books):
    """The part of the exchange that matches orders; only tests tell it what to match."""

    def place_order(
        self,
        name: str,
        market: str,
        side: str,
        quantity: str,
        price: str,
        *,
        kind: str = "limit",
        client_id: str = "",
    ) -> str:
        """Let somebody place an order, in whole units; return its id."""
        pair = SYMBOLS[market]
        if side not in ("buy", "sell") or kind not in PLAIN_KINDS:
            raise ValueError(f"No order is {kind} {side}")
        number = len(self.ledger.topic("orders")) + 1
        id = txid("O", number)
        order = new_order(name, market, side, quantity, price, self.moment())
        order |= {"kind": kind, "client_id": client_id}
        self._afford(pair, order)
        self.ledger.put(("orders", id, order))
        self.told_of_order(id, "pending_new")
        self.told_of_order(id, "new")
        return id

    def _afford(self, pair: Pair, order: Row) -> None:
        """Refuse an order whose cost and fee, or volume, are not there to be held."""
        name, quantity = order["owner"], Decimal(order["quantity"])
        code = pair.base if order["side"] == "sell" else pair.quote
        needed = asset_of(code).minor(quantity) if order["side"] == "sell" else 0
        if order["side"] == "buy":
            cost = quantity * Decimal(order["price"])
            needed = rounded(cost * (1 + TAKER), code, up=True)
        free = self.ledger.balance(self.holder(name, code)) - self.held(name).get(
            code, 0
        )
        if needed > free:
            raise MoneyError("EOrder:Insufficient funds")

    def fill_order(
        self,
        order: str,
        quantity: str | None = None,
        price: str | None = None,
        *,
        maker: bool = True,
    ) -> str:
        """Fill an open order, whole or a part of it; return the trade's id."""
        found = self._open(order)
        left = Decimal(found["quantity"]) - Decimal(found["filled"])
        wanted = left if quantity is None else Decimal(quantity)
        if not 0 < wanted <= left:
            raise ValueError(f"{order} has {left} left")
        id = txid("T", len(self.ledger.topic("trades")) + 1)
        trade = new_trade(order, found, wanted, Decimal(price or found["price"]))
        trade |= {
            "time": self.moment(),
            "maker": maker,
            "fee": fee_of(trade, maker),
            "trade_id": len(self.ledger.topic("trades")) + 1,
        }
        after = filled(found, id, trade)
        entries = self.book(*self.lines(id, trade))
        self.ledger.put(("trades", id, trade), ("orders", order, after))
        self.told_of_order(order, "trade", id)
        if after["status"] == "closed":
            self.told_of_order(order, "filled")
        self.told_of_entries(found["owner"], entries)
        return id

    def lines(self, id: str, trade: Row) -> list[Line]:
        """Return what a trade changes: its base, and its quote with the fee."""
        pair, sign = SYMBOLS[trade["market"]], 1 if trade["side"] == "buy" else -1
        name, moment = trade["owner"], trade["time"]
        quantity = asset_of(pair.base).minor(trade["quantity"])
        cost = asset_of(pair.quote).minor(trade["cost"])
        fee = asset_of(pair.quote).minor(trade["fee"])
        return [
            Line(self.holder(name, pair.base), sign * quantity, "trade", id, moment),
            Line(self.holder(name, pair.quote), -sign * cost, "trade", id, moment, fee),
        ]

    def cancel_order(self, order: str, reason: str = "User requested") -> None:
        """Let somebody cancel what is left of an order."""
        self._end(order, "canceled", reason)

    def expire_order(self, order: str) -> None:
        """Let an order's time be over."""
        self._end(order, "expired", "Order expired")

    def _end(self, id: str, status: str, reason: str) -> None:
        changes = {"status": status, "reason": reason, "closed": self.moment()}
        self.ledger.put(("orders", id, {**self._open(id), **changes}))
        self.told_of_order(id, status)

    def _open(self, id: str) -> Row:
        found: Row = self.ledger.topic("orders")[id]
        if found["status"] != "open":
            raise ValueError(f"{id} is {found['status']}")
        return found

    # -- margin

    def open_position(
        self, name: str, market: str, side: str, quantity: str, price: str
    ) -> str:
        """Let somebody borrow and trade; return the position's id."""
        number = len(self.ledger.topic("positions")) + 1
        id = txid("P", number)
        cost = Decimal(quantity) * Decimal(price)
        position = {
            "owner": name,
            "order": txid("M", number),
            "market": market,
            "side": side,
            "quantity": quantity,
            "closed": "0",
            "cost": str(cost),
            "time": self.moment(),
            "mark": price,
        }
        self.ledger.put(("positions", id, position))
        return id

    def mark(self, position: str, price: str) -> None:
        """Let the market of a position move."""
        found = self.ledger.topic("positions")[position]
        self.ledger.put(("positions", position, {**found, "mark": price}))

    def close_position(self, position: str) -> None:
        """Let somebody close a position at its mark; what it won or lost is booked."""
        found = self.ledger.topic("positions")[position]
        code, moment = SYMBOLS[found["market"]].quote, self.moment()
        won = rounded(net_of(found), code)
        self.ledger.put(("positions", position, None))
        line = Line(self.holder(found["owner"], code), won, "margin", position, moment)
        self.told_of_entries(found["owner"], self.book(line))


def new_order(
    name: str, market: str, side: str, quantity: str, price: str, moment: int
) -> Row:
    """Return an order that nothing has happened to."""
    return {
        "owner": name,
        "market": market,
        "side": side,
        "kind": "limit",
        "quantity": quantity,
        "price": price,
        "filled": "0",
        "cost": "0",
        "fee": "0",
        "status": "open",
        "opened": moment,
        "closed": 0,
        "trades": [],
        "reason": "",
        "client_id": "",
        "leverage": 1,
    }


def new_trade(
    order: str, about: Mapping[str, Any], part: Decimal, price: Decimal
) -> Row:
    """Return a fill; its cost is rounded as the ledger will book it."""
    pair = SYMBOLS[about["market"]]
    cost = rounded(part * price, pair.quote)
    return {
        "owner": about["owner"],
        "order": order,
        "market": about["market"],
        "side": about["side"],
        "kind": about["kind"],
        "quantity": str(part),
        "price": str(price),
        "cost": asset_of(pair.quote).major(cost),
    }


def fee_of(trade: Row, maker: bool) -> str:
    """Return what a fill costs, rounded up to the last unit of the quote."""
    code = SYMBOLS[trade["market"]].quote
    fee = Decimal(trade["cost"]) * (MAKER if maker else TAKER)
    return asset_of(code).major(rounded(fee, code, up=True))


def filled(order: Row, id: str, trade: Row) -> Row:
    """Return an order after a fill."""
    sums = {
        name: str(Decimal(order[name]) + Decimal(trade[of]))
        for name, of in (("filled", "quantity"), ("cost", "cost"), ("fee", "fee"))
    }
    done = Decimal(sums["filled"]) == Decimal(order["quantity"])
    end = {"status": "closed", "closed": trade["time"]} if done else {}
    return {**order, **sums, **end, "trades": [*order["trades"], id]}


def net_of(position: Mapping[str, Any]) -> Decimal:
    """Return what a position has won or lost at its mark."""
    left = Decimal(position["quantity"]) - Decimal(position["closed"])
    sign = 1 if position["side"] == "buy" else -1
    return sign * (left * Decimal(position["mark"]) - Decimal(position["cost"]))
