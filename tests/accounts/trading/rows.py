"""Orders, trades and positions as a provider tells them, made in one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from accounts.trading.words import KnownOrder, KnownPosition
from providers.trading import Market, Order, Position, Trade

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MARKET = Market("AAABBB", "AAA", "BBB")
FUTURE = Market("AAABBB", "AAA", "BBB", "futures")


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


def an_order(name: str = "o1", **more) -> Order:
    usual = {
        "market": MARKET,
        "side": "buy",
        "kind": "limit",
        "status": "open",
        "quantity": Decimal("2"),
        "filled": Decimal(0),
        "created": NOON,
        "price": Decimal("10.5"),
    }
    return Order(name, **usual | more)


def a_trade(name: str, side: str, quantity: str, price: str, **more) -> Trade:
    usual = {
        "order_id": f"order of {name}",
        "market": MARKET,
        "cost": Decimal(quantity) * Decimal(price),
        "created": NOON,
        "fee": Decimal(0),
    }
    return Trade(
        name,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        **usual | more,
    )


def a_position(name: str = "p1", quantity: str = "1", **more) -> Position:
    usual = {"market": FUTURE, "side": "long", "entry_price": Decimal("100")}
    return Position(name, quantity=Decimal(quantity), **usual | more)


def known(order: Order, **more) -> KnownOrder:
    return KnownOrder(uuid4(), order, **{"seen_at": NOON} | more)


def held(position: Position, **more) -> KnownPosition:
    return KnownPosition(uuid4(), position, **{"seen_at": NOON} | more)
