"""What Coinbase's answers about orders, fills and positions mean.

Source: docs, "List Orders", "List Fills", "List Futures Positions". Quantities of
futures are told in contracts, and returned in what the contracts are of.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from providers.money import EXACT
from providers.trading import (
    CANCELLED,
    EXPIRED,
    FILLED,
    OPEN,
    PARTIALLY_FILLED,
    REJECTED,
    Order,
    Position,
    Trade,
)

from .fields import above_zero, moment, number, perhaps, rows, text
from .markets import Futures, Product, is_pair, product

Row = Mapping[str, Any]
SIDES: Final = {"BUY": "buy", "SELL": "sell"}
OPPOSITE: Final = {"buy": "sell", "sell": "buy"}
HOLDINGS: Final = {"LONG": "long", "SHORT": "short"}
# An order that waits for something is open: it blocks money, and it may still be filled.
STATUSES: Final[Mapping[str, str]] = {
    "PENDING": OPEN,
    "QUEUED": OPEN,
    "OPEN": OPEN,
    "CANCEL_QUEUED": OPEN,
    "EDIT_QUEUED": OPEN,
    "FILLED": FILLED,
    "CANCELLED": CANCELLED,
    "EXPIRED": EXPIRED,
    "FAILED": REJECTED,
}
MAKER: Final = {"MAKER": True, "TAKER": False}
KINDS: Final = frozenset({"FILL", "REVERSAL", "CORRECTION", "SYNTHETIC"})


def orders(futures: Futures, body: Any) -> list[Order]:
    return [order(futures, row) for row in rows(body, "orders")]


def order(futures: Futures, row: Row) -> Order:
    """Return one order.

    Where it was placed for an amount of `quote`, or what it asked for is not told, its
    quantity is what was filled: how much it would have come to is not known.
    """
    traded = product(row["product_id"], futures)
    wish = _wish(row.get("order_configuration"))
    filled = _times(perhaps(row["filled_size"]) or Decimal(0), traded)
    asked = perhaps(wish.get("base_size"))
    status = STATUSES[row["status"]]
    return Order(
        text(row["order_id"]),
        traded.market,
        SIDES[row["side"]],
        text(row["order_type"]).lower(),
        PARTIALLY_FILLED if status == OPEN and filled else status,
        filled if asked is None else _times(asked, traded),
        filled,
        moment(row["created_time"]),
        cost=perhaps(row["filled_value"]),
        price=perhaps(wish.get("limit_price")),
        updated=_moment_or_none(row.get("last_fill_time")),
        client_id=row.get("client_order_id") or "",
    )


def streamed(row: Row) -> Order | None:
    """Return an order as the stream words it; None for a future's.

    Of what that is, the stream does not tell. Source: docs, "User Channel".
    """
    if not is_pair(text(row["product_id"])):
        return None
    filled = perhaps(row["cumulative_quantity"]) or Decimal(0)
    status = STATUSES[row["status"]]
    return Order(
        text(row["order_id"]),
        product(row["product_id"], {}).market,
        SIDES[row["order_side"]],
        text(row["order_type"]).lower().replace(" ", "_"),
        PARTIALLY_FILLED if status == OPEN and filled else status,
        EXACT.add(filled, perhaps(row["leaves_quantity"]) or Decimal(0)),
        filled,
        moment(row["creation_time"]),
        cost=perhaps(row.get("filled_value")),
        price=perhaps(row.get("limit_price")),
        client_id=row.get("client_order_id") or "",
    )


def _wish(configuration: Any) -> Row:
    """Return what an order asks for: its kind is the name of the only entry, if there is one."""
    (wish,) = (configuration or {"": {}}).values()
    if not isinstance(wish, dict):
        raise TypeError("An order's configuration is no object")
    return wish


def trades(futures: Futures, body: Any) -> list[Trade]:
    return [trade(futures, row) for row in rows(body, "fills")]


def trade(futures: Futures, row: Row) -> Trade:
    """Return one fill; one that reverses another is told as going the other way.

    Where `size_in_quote`, its size is what it cost, and the quantity follows from that.
    """
    traded = product(row["product_id"], futures)
    price, size = above_zero(row["price"]), above_zero(row["size"])
    if row.get("size_in_quote") is True:
        quantity, cost = size / price, size
    else:
        quantity = _times(size, traded)
        cost = EXACT.multiply(price, quantity)
    side, fee = SIDES[row["side"]], perhaps(row["commission"])
    if row["trade_type"] not in KINDS:
        raise ValueError(f"A fill is of the kind {row['trade_type']!r:.60}")
    if row["trade_type"] == "REVERSAL":
        side, fee = OPPOSITE[side], fee and -fee
    return Trade(
        text(row["entry_id"]),  # a trade and its correction have the same trade_id
        text(row["order_id"]),
        traded.market,
        side,
        quantity,
        price,
        cost,
        moment(row["trade_time"]),
        fee=fee,
        fee_asset=traded.market.quote if fee is not None else "",
        maker=MAKER.get(row["liquidity_indicator"]),
    )


def positions(futures: Futures, body: Any) -> list[Position]:
    found = [position(futures, row) for row in rows(body, "positions")]
    return [held for held in found if held.quantity]


def position(futures: Futures, row: Row) -> Position:
    """Return what is held of one contract; prices are for one of what it is of."""
    traded = product(row["product_id"], futures)
    price = partial(_perhaps_of, row)
    return Position(
        traded.market.name,  # there is one for each contract
        traded.market,
        HOLDINGS[row["side"]],
        _times(number(row["number_of_contracts"]), traded),
        entry_price=price("avg_entry_price"),
        mark_price=price("current_price"),
        pnl=price("unrealized_pnl"),
        pnl_asset=traded.market.quote,
        liquidation_price=price("liquidation_price"),
    )


def _perhaps_of(row: Row, name: str) -> Decimal | None:
    return perhaps(row.get(name))


def _times(size: Decimal, traded: Product) -> Decimal:
    return EXACT.multiply(size, traded.size)


def _moment_or_none(value: Any) -> datetime | None:
    """Return a moment; an unset one is null, or in the first year."""
    found = None if value is None else moment(value)
    return found if found and found.year > 1 else None
