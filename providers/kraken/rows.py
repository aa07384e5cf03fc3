"""Single orders, trades and positions, in the words of the ports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any, Final

from providers.money import PLAIN_DECIMAL
from providers.trading import (
    CANCELLED,
    EXPIRED,
    FILLED,
    OPEN,
    PARTIALLY_FILLED,
    Market,
    Order,
    Position,
    Trade,
)

from .balances import positive
from .names import market_of
from .replies import exact, positive_number, text_of

Markets = Mapping[str, Market]
CLOSED: Final[Mapping[str, str]] = {
    "closed": FILLED,
    "canceled": CANCELLED,
    "expired": EXPIRED,
}
SIDES: Final[Mapping[str, str]] = {"buy": "long", "sell": "short"}
START: Final = datetime(1970, 1, 1, tzinfo=UTC)
AVERAGE: Final = Context(prec=18)  # an average price is for people; it may not be exact


def order_of(id: str, row: Mapping[str, Any], markets: Markets) -> Order:
    """Return an order as a row of OpenOrders, ClosedOrders or QueryOrders tells it."""
    about = row["descr"]
    filled = positive(row["vol_exec"])
    quote_sized = "viqc" in row.get("oflags", "").split(",")
    closed = row.get("closetm")
    return Order(
        id,
        market_of(text_of(about, "pair"), markets),
        side_of(about),
        text_of(about, "ordertype"),
        status_of(text_of(row, "status"), filled),
        # Of a volume in the quote's currency only what was filled is known of the base.
        filled if quote_sized else positive_number(row["vol"]),
        filled,
        moment_of(row["opentm"]),
        cost=positive(row["cost"]),
        price=_limit(about),
        updated=moment_of(closed) if closed else None,
        client_id=str(row.get("cl_ord_id") or row.get("userref") or ""),
    )


def trade_of(id: str, row: Mapping[str, Any], markets: Markets) -> Trade:
    """Return a row of TradesHistory. `net` is told for positions that were closed."""
    market = market_of(text_of(row, "pair"), markets)
    net = row.get("net")
    return Trade(
        id,
        text_of(row, "ordertxid"),
        market,
        side_of(row),
        positive_number(row["vol"]),
        positive_number(row["price"]),
        positive(row["cost"]),
        moment_of(row["time"]),
        fee=exact(row["fee"]),
        fee_asset=market.quote,
        maker=_flag(row.get("maker")),
        pnl=None if net is None else signed(net),
        pnl_asset="" if net is None else market.quote,
    )


def position_of(id: str, row: Mapping[str, Any], markets: Markets) -> Position:
    """Return a row of OpenPositions; `net` is what closing it now would win or lose."""
    market = market_of(text_of(row, "pair"), markets)
    volume, cost = positive_number(row["vol"]), positive(row["cost"])
    net = row.get("net")
    return Position(
        id,
        market,
        SIDES[side_of(row)],
        positive_number(volume - positive(row["vol_closed"])),
        entry_price=AVERAGE.divide(cost, volume),
        pnl=None if net is None else signed(net),
        pnl_asset="" if net is None else market.quote,
        updated=moment_of(row["time"]),
    )


def status_of(status: str, filled: Decimal) -> str:
    """Return one of the ports' words for an order; raises LookupError."""
    if status in ("pending", "open"):
        return PARTIALLY_FILLED if filled else OPEN
    return CLOSED[status]


def side_of(row: Mapping[str, Any]) -> str:
    if (side := text_of(row, "type")) not in SIDES:
        raise ValueError(f"{side!r:.60} is no side")
    return side


def seconds_of(value: Any) -> int:
    """Return the whole seconds of a moment that is a number of seconds."""
    if not isinstance(value, Decimal | int) or isinstance(value, bool):
        raise TypeError(f"{value!r:.60} is no moment")
    return int(value)


def moment_of(value: Any) -> datetime:
    """Return a moment in seconds since 1970, to the microsecond and never before that."""
    if seconds_of(value) <= 0:
        raise ValueError(f"{value!r:.60} is no moment")
    return START + timedelta(microseconds=int(value * 10**6))


def signed(value: Any) -> Decimal:
    """Return an amount that is won or lost: "+134186.9728" is one, too."""
    return exact(value.removeprefix("+") if isinstance(value, str) else value)


def _limit(about: Mapping[str, Any]) -> Decimal | None:
    """Return an order's limit: the second price where the first one is a trigger."""
    kind = about["ordertype"]
    if not kind.endswith("limit") and kind != "iceberg":
        return None
    price = about["price"] if kind in ("limit", "iceberg") else about["price2"]
    # A price may be relative ("+5%"), until it is triggered.
    found = isinstance(price, str) and PLAIN_DECIMAL.fullmatch(price)
    return Decimal(price) or None if found else None


def _flag(value: Any) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"{value!r:.60} is neither true nor false")
    return value
