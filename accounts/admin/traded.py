"""The live orders and the open positions on the page of a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import Connection, Order, Position
from providers.trading import LIVE

from . import show
from .base import Panel
from .panels import NEWEST


def figure(value: Decimal | None, code: str = "") -> SafeString:
    """Return a quantity or a price with every digit; unknown is never a zero."""
    if value is None:
        return show.NOTHING
    return format_html('<span class="bs-money">{}</span>', f"{value:,f} {code}".strip())


def trading_panels(
    row: Connection, history_list: Callable[..., str]
) -> Iterator[Panel]:
    """Yield the live orders and the open positions of a connection, if it has any."""
    here = {"connection__id__exact": row.pk}
    if row.orders.exists():
        yield orders_panel(row, history_list(Order, **here))
    if row.positions.exists():
        yield positions_panel(row, history_list(Position, **here))


def orders_panel(row: Connection, more: str) -> Panel:
    """Return the newest live orders."""
    live = row.orders.filter(status__in=LIVE)
    return Panel(
        "Live orders",
        ["Market", "Side", "Quantity", "Filled", "Limit", "Seen"],
        [
            [
                show.link(order),
                order.side,
                figure(order.quantity, order.base),
                figure(order.filled, order.base),
                figure(order.price, order.quote),
                show.when(order.seen_at),
            ]
            for order in live[:NEWEST]
        ],
        empty="No order is live.",
        more=more,
        more_text="All orders",
        right=("Quantity", "Filled", "Limit"),
    )


def positions_panel(row: Connection, more: str) -> Panel:
    """Return the newest open positions."""
    return Panel(
        "Open positions",
        ["Market", "Side", "Quantity", "Entry price", "Unrealised P&L", "Seen"],
        [
            [
                show.link(held),
                held.side,
                figure(held.quantity, held.base),
                figure(held.entry_price, held.quote),
                figure(held.pnl, held.pnl_asset),
                show.when(held.seen_at),
            ]
            for held in row.positions.open()[:NEWEST]
        ],
        empty="No position is open.",
        more=more,
        more_text="All positions",
        right=("Quantity", "Entry price", "Unrealised P&L"),
    )
