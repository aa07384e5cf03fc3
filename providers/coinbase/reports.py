"""Orders, trades and positions at Coinbase, which lists those of all markets together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from providers.trading import (
    KeepsOneBook,
    Order,
    Page,
    Position,
    Sought,
    Trade,
)
from providers.wire import Call, Request

from . import markets, orders
from .fields import rows, text
from .history import Span
from .speaking import PAGE, ROOT, Listed, NoSuchOrder, Speaking

ORDERS: Final = f"{ROOT}/orders/historical"
# Open orders may not be asked for together with those in any other state.
LIVE: Final = (("OPEN",), ("PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED"))

Read = Callable[[markets.Futures, Any], list[Any]]


class Reports(Speaking, KeepsOneBook):
    """What was ordered, and what came of it."""

    def open_orders(self) -> Call[Sequence[Order]]:
        """Return what may still be filled. Source: docs, "List Orders"."""
        found: dict[str, Order] = {}
        for states in LIVE:
            wanted = [("order_status", state) for state in states]
            asked = self.get(f"{ORDERS}/batch", ("limit", PAGE), *wanted)
            listed = yield from self.whole(asked, "orders")
            for row in (yield from self._read(listed, orders.orders)):
                found[row.external_id] = row
        return list(found.values())

    def find_order(self, sought: Sought) -> Call[Order | None]:
        """Return one order. Source: docs, "Get Order"."""
        asked = self.get(f"{ORDERS}/{quote(sought.external_id, safe='')}")
        response = yield asked
        try:
            named = self.understand(asked, response, _product)
        except NoSuchOrder:
            return None
        futures = yield from self._futures([named])
        return self.understand(asked, response, partial(_order, futures))

    def orders(
        self, book: str, cursor: str, *, now: datetime, since: datetime
    ) -> Call[Page[Order]]:
        """Return the orders made in a span. Source: docs, "List Orders"."""
        span = Span.after(cursor, now=now, since=since)
        asked = partial(self._within, f"{ORDERS}/batch", ("start_date", "end_date"))
        return (yield from self._history("orders", span, asked, orders.orders))

    def trades(
        self, book: str, cursor: str, *, now: datetime, since: datetime
    ) -> Call[Page[Trade]]:
        """Return the fills of a span. Source: docs, "List Fills"."""
        span = Span.after(cursor, now=now, since=since)
        names = "start_sequence_timestamp", "end_sequence_timestamp"
        asked = partial(self._within, f"{ORDERS}/fills", names)
        return (yield from self._history("fills", span, asked, orders.trades))

    def positions(self) -> Call[Sequence[Position]]:
        """Return the positions in US futures. Source: docs, "List Futures Positions"."""
        asked = self.get(f"{ROOT}/cfm/positions")
        listed = Listed("positions", [(asked, (yield asked))])
        return (yield from self._read(listed, orders.positions))

    def _within(self, path: str, names: tuple[str, str], span: Span) -> Request:
        return self.get(path, ("limit", PAGE), *span.moments(*names))

    def _read(self, listed: Listed, read: Read) -> Call[list[Any]]:
        """Return what is on the pages, once it is known what futures are on them."""
        products = partial(_products, name=listed.name)
        named = [
            name
            for request, response in listed.pages
            for name in self.understand(request, response, products)
        ]
        futures = yield from self._futures(named)
        return [
            row
            for request, response in listed.pages
            for row in self.understand(request, response, partial(read, futures))
        ]

    def _history(
        self, name: str, span: Span, asked: Callable[[Span], Request], read: Read
    ) -> Call[Page[Any]]:
        """Return the rows of a span, oldest first, or of as much of it as can be read."""
        while not (listed := (yield from self.listed(asked(span), name))).whole:
            span = span.halved()
        found = yield from self._read(listed, read)
        unique = {row.external_id: row for row in found}
        told = sorted(unique.values(), key=lambda row: (row.created, row.external_id))
        return Page(told, span.cursor, more=span.end is not None)

    def _futures(self, named: Sequence[str]) -> Call[markets.Futures]:
        """Return what the contracts among these are made of. Source: docs, "List Products"."""
        wanted = markets.futures_among(named)
        if not wanted:
            return {}
        params = [("product_type", "FUTURE"), ("get_all_products", "true")]
        params += [("product_ids", name) for name in wanted]
        asked = self.get(f"{ROOT}/products", *params)
        return (yield from self.ask(asked, partial(markets.futures, wanted)))


def _products(body: Any, name: str) -> list[str]:
    return [text(row["product_id"]) for row in rows(body, name)]


def _product(body: Any) -> str:
    return text(body["order"]["product_id"])


def _order(futures: markets.Futures, body: Any) -> Order:
    return orders.order(futures, body["order"])
