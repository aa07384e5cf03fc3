"""What orders, trades and positions mean; prices and quantities are decimals as text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from providers.fields import flag, text
from providers.money import PLAIN_DECIMAL
from providers.trading import (
    CANCELLED,
    EXPIRED,
    FILLED,
    OPEN,
    PARTIALLY_FILLED,
    REJECTED,
    Market,
    Order,
    Position,
    Trade,
)

from .answers import code_of, moment, natural

Markets = Mapping[str, Market]  # by symbol

LONGEST: Final = 60  # characters of a price or a quantity
STATUSES: Final[Mapping[str, str]] = {
    "NEW": OPEN,
    "TRIGGERING": OPEN,  # of conditional orders only
    "PENDING_NEW": OPEN,
    "PENDING_CANCEL": OPEN,
    "PARTIALLY_FILLED": PARTIALLY_FILLED,
    "FILLED": FILLED,
    "CANCELED": CANCELLED,
    "REJECTED": REJECTED,
    "EXPIRED": EXPIRED,
    "EXPIRED_IN_MATCH": EXPIRED,
}
CONDITIONAL: Final = "algo-"  # how the ids of orders begin that wait for a trigger
TRIGGERED: Final = frozenset({"TRIGGERED", "FINISHED"})
SIDES: Final[Mapping[str, str]] = {"BUY": "buy", "SELL": "sell"}


def decimal(value: Any) -> Decimal:
    """Return an exact number written as text; raises TypeError, ValueError."""
    told = text(value)
    if len(told) > LONGEST or not PLAIN_DECIMAL.fullmatch(told):
        raise ValueError(f"{told!r:.60} is not a plain decimal number")
    return Decimal(told)


def size(value: Any) -> Decimal:
    """Return a number that is not below zero."""
    if (found := decimal(value)) < 0:
        raise ValueError(f"There is no quantity of {found}")
    return found


def price_or_none(value: Any) -> Decimal | None:
    """Return a price; zero says that there is none."""
    return size(value) or None


def market_of(row: Any, segment: str) -> Market:
    """Return a market as "Exchange information" tells it."""
    names = text(row["symbol"]), code_of(row["baseAsset"]), code_of(row["quoteAsset"])
    return Market(*names, segment)


# -- spot


def spot_order(row: Any, markets: Markets) -> Order:
    """Return an order. Source: rest-api.md, "Query order".

    What old orders cost is told as below zero, which means that it is not known.
    """
    cost = decimal(row["cummulativeQuoteQty"])
    return _order(row, markets, cost if cost >= 0 else None)


def spot_trade(row: Any, markets: Markets) -> Trade:
    """Return a trade. Source: rest-api.md, "Account trade list"."""
    side = "buy" if flag(row["isBuyer"]) else "sell"
    return _trade(row, markets, side, maker=flag(row["isMaker"]))


# -- futures


def futures_order(row: Any, markets: Markets) -> Order:
    """Return an order for a contract. Source: "Query Order" of the futures."""
    return _order(row, markets, size(row["cumQuote"]))


def futures_trade(row: Any, markets: Markets) -> Trade:
    """Return a trade with what it realised. Source: "Account Trade List"."""
    return _trade(
        row,
        markets,
        SIDES[row["side"]],
        maker=flag(row["maker"]),
        pnl=decimal(row["realizedPnl"]),
        # A trade does not say it, but contracts settle so.
        pnl_asset=markets[row["symbol"]].quote,
    )


def conditional_order(row: Any, markets: Markets) -> Order:
    """Return an order that waits for its trigger. Source: "Query Algo Order".

    Its ids are others than those of orders; of one that closes a position, whatever it
    will hold, no quantity is told.
    """
    closes = flag(row["closePosition"]) and not row["quantity"]
    return Order(
        f"{CONDITIONAL}{natural(row['algoId'])}",
        markets[row["symbol"]],
        SIDES[row["side"]],
        text(row["orderType"]).lower(),
        STATUSES[row["algoStatus"]],
        Decimal(0) if closes else size(row["quantity"]),
        Decimal(0),
        moment(row["createTime"]),
        cost=Decimal(0),
        price=price_or_none(row["price"]),
        updated=moment(row["updateTime"]),
        client_id=text(row["clientAlgoId"]),
    )


def made_of(row: Any) -> str:
    """Return the id of the order that a trigger has made; empty if it has not yet."""
    if row["algoStatus"] not in TRIGGERED:
        return ""
    told = row["actualOrderId"]
    return f"{natural(int(told) if isinstance(told, str) else told)}"


def position(row: Any, markets: Markets) -> Position | None:
    """Return a position, or None where only orders are open. "Position Information V3"."""
    amount, told = decimal(row["positionAmt"]), text(row["positionSide"])
    if told not in ("BOTH", "LONG", "SHORT"):
        raise ValueError(f"{told!r:.40} is no side of a position")
    if not amount:
        return None
    side = ("long" if amount > 0 else "short") if told == "BOTH" else told.lower()
    return Position(
        told,
        markets[row["symbol"]],
        side,
        abs(amount),
        entry_price=price_or_none(row["entryPrice"]),
        mark_price=price_or_none(row["markPrice"]),
        pnl=decimal(row["unRealizedProfit"]),
        pnl_asset=code_of(row["marginAsset"]),
        liquidation_price=price_or_none(row["liquidationPrice"]),
        updated=moment(row["updateTime"]),
    )


def _trade(row: Any, markets: Markets, side: str, **more: Any) -> Trade:
    return Trade(
        f"{natural(row['id'])}",
        f"{natural(row['orderId'])}",
        markets[row["symbol"]],
        side,
        size(row["qty"]),
        size(row["price"]),
        size(row["quoteQty"]),
        moment(row["time"]),
        fee=decimal(row["commission"]),
        fee_asset=code_of(row["commissionAsset"]),
        **more,
    )


def _order(row: Any, markets: Markets, cost: Decimal | None) -> Order:
    return Order(
        f"{natural(row['orderId'])}",
        markets[row["symbol"]],
        SIDES[row["side"]],
        text(row["type"]).lower(),
        STATUSES[row["status"]],
        size(row["origQty"]),
        size(row["executedQty"]),
        moment(row["time"]),
        cost=cost,
        price=price_or_none(row["price"]),
        updated=moment(row["updateTime"]),
        client_id=row["clientOrderId"] if isinstance(row["clientOrderId"], str) else "",
    )
