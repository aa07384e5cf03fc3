"""Orders and trades out of reports that each hold only what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from providers.trading import (
    CANCELLED,
    EXPIRED,
    FILLED,
    LIVE,
    OPEN,
    PARTIALLY_FILLED,
    Market,
    Order,
    Trade,
)

from ..balances import positive
from ..names import market_called
from ..replies import exact, positive_number, text_of

STATUSES: Final[Mapping[str, str]] = {
    "pending_new": OPEN,
    "new": OPEN,
    "partially_filled": PARTIALLY_FILLED,
    "filled": FILLED,
    "canceled": CANCELLED,
    "expired": EXPIRED,
}
# What an order must have been told with before it can be told on.
WHOLE: Final = ("symbol", "side", "order_type", "order_qty", "order_status")
Row = Mapping[str, Any]


@dataclass
class Reports:
    """The orders that are open, each merged from everything told about it."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def snapshot(self, rows: Iterable[Row]) -> tuple[list[Order], list[str], bool]:
        """Return open orders, the ids of those that are open no more, and if any differ."""
        told = {
            text_of(r, "order_id"): r for r in rows if r.get("exec_type") != "trade"
        }
        before = dict(self.rows)
        self.rows.clear()  # the same dict: others look into it
        orders = [order for id, row in told.items() if (order := self._merged(id, row))]
        same = _amounts(before) == _amounts(self.rows)
        return orders, [id for id in before if id not in self.rows], not same

    def take(self, row: Row) -> tuple[Order | None, Trade | None]:
        """Return an order as it is now, and the trade if it is one.

        The order is None if too little of it was ever told.
        """
        trade = trade_of(row) if row.get("exec_type") == "trade" else None
        return self._merged(text_of(row, "order_id"), row), trade

    def _merged(self, id: str, row: Row) -> Order | None:
        known = self.rows.get(id, {"opened": row.get("timestamp")})
        merged = {**known, **{k: v for k, v in row.items() if v is not None}}
        self.rows[id] = merged
        if any(name not in merged for name in WHOLE):
            del self.rows[id]
            return None
        order = order_of(id, merged)
        if order.status not in LIVE:
            del self.rows[id]
        return order


def _amounts(rows: Mapping[str, Row]) -> Mapping[str, Any]:
    """Return what decides what orders hold."""
    names = ("order_qty", "cum_qty", "limit_price")
    return {id: [row.get(name) for name in names] for id, row in rows.items()}


def order_of(id: str, row: Row) -> Order:
    """Return an order from its merged reports."""
    limit = row.get("limit_price")
    return Order(
        id,
        market_called(text_of(row, "symbol")),
        _side(row),
        text_of(row, "order_type"),
        STATUSES[row["order_status"]],
        positive_number(row["order_qty"]),
        positive(row.get("cum_qty", 0)),
        moment(row["opened"]),
        cost=positive(row["cum_cost"]) if "cum_cost" in row else None,
        price=exact(limit) or None if limit is not None else None,
        updated=moment(row["timestamp"]),
        client_id=str(row.get("cl_ord_id") or row.get("order_userref") or ""),
    )


def trade_of(row: Row) -> Trade:
    """Return a fill; it is told whole in one report."""
    fees = row.get("fees") or []
    fee: Decimal | None = None
    if len(fees) == 1:
        fee = exact(fees[0]["qty"])
    return Trade(
        text_of(row, "exec_id"),
        text_of(row, "order_id"),
        market_called(text_of(row, "symbol")),
        _side(row),
        positive_number(row["last_qty"]),
        positive_number(row["last_price"]),
        positive(row["cost"]),
        moment(row["timestamp"]),
        fee=fee,
        fee_asset="" if fee is None else text_of(fees[0], "asset"),
        maker={"m": True, "t": False}.get(row.get("liquidity_ind", "")),
    )


def market_and_side(order: Order | None, row: Row) -> tuple[Market, str] | None:
    """Return what an order trades, if that was ever told."""
    if order is not None:
        return order.market, order.side
    if "symbol" in row and "side" in row:
        return market_called(text_of(row, "symbol")), _side(row)
    return None


def moment(text: Any) -> datetime:
    """Return a moment written as RFC 3339; raises what is none, or has no zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r:.60} has no zone")
    return found


def _side(row: Row) -> str:
    if (side := text_of(row, "side")) not in ("buy", "sell"):
        raise ValueError(f"{side!r:.60} is no side")
    return side
