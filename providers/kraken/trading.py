"""Orders, trades and margin positions as Kraken's REST interface tells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from providers.errors import AccountUnusable
from providers.trading import (
    EVERYTHING,
    KeepsOneBook,
    Market,
    Order,
    Page,
    Position,
    Sought,
    Trade,
)
from providers.wire import Call, Request

from .paging import Stretch, Turned
from .replies import UnknownOrder, rows_of
from .rest import Rest
from .rows import order_of, position_of, seconds_of, trade_of

Row = TypeVar("Row")


class Trading(Rest, KeepsOneBook):
    """The part of the adapter that reads what was traded."""

    def open_orders(self) -> Call[Sequence[Order]]:
        """Return every open order; one answer holds all. Source: docs, "Get Open Orders"."""
        rows = yield from self.ask(self.private("OpenOrders"), partial(_rows, "open"))
        return (yield from self._named(rows, order_of))

    def find_order(self, sought: Sought) -> Call[Order | None]:
        """Return an order as it is now. Source: docs, "Query Orders Info".

        It is absent if Kraken answers without it, or that it is unknown; an "invalid
        order" is a refusal, as it was seen for orders that do exist.
        """
        asked = self.private("QueryOrders", txid=sought.external_id)
        try:
            rows = yield from self.ask(asked, rows_of)
        except UnknownOrder:
            return None
        if sought.external_id not in rows:
            return None
        found = {sought.external_id: rows[sought.external_id]}
        (order,) = yield from self._named(found, order_of)
        return order

    def orders(
        self, book: str, cursor: str, *, now: datetime, since: datetime
    ) -> Call[Page[Order]]:
        """Return orders in the order they were closed. Source: docs, "Get Closed Orders".

        An order is final when it is closed; those that are not are `open_orders`.
        """
        ask = partial(self.private, "ClosedOrders", closetime="close")
        read = partial(_turned, "closed", "closetm")
        return (yield from self._page(book, cursor, since, ask, read, order_of))

    def trades(
        self, book: str, cursor: str, *, now: datetime, since: datetime
    ) -> Call[Page[Trade]]:
        """Return each fill by itself, oldest first. Source: docs, "Get Trades History"."""
        ask = partial(
            self.private, "TradesHistory", weight=2, consolidate_taker="false"
        )
        read = partial(_turned, "trades", "time")
        return (yield from self._page(book, cursor, since, ask, read, trade_of))

    def positions(self) -> Call[Sequence[Position]]:
        """Return open margin positions. Source: docs, "Get Open Positions"."""
        asked = self.private("OpenPositions", docalcs="true")
        rows = yield from self.ask(asked, rows_of)
        return (yield from self._named(rows, position_of))

    def _page(
        self,
        book: str,
        cursor: str,
        since: datetime,
        ask: Callable[..., Request],
        read: Callable[[Any], Turned],
        make: Callable[[str, Any, Mapping[str, Market]], Row],
    ) -> Call[Page[Row]]:
        """Ask for one page only: at the lowest tier each may have to wait for seconds."""
        if book != EVERYTHING:
            raise AccountUnusable(f"Kraken keeps no book called {book!r:.60}")
        stretch = Stretch.at(cursor, since)
        asked = ask(**stretch.wish())
        turned = yield from self.ask(asked, read)
        rows, after, more = self.sensible(asked, lambda: stretch.take(turned))
        return Page((yield from self._named(rows, make)), after, more)

    def _named(
        self,
        rows: Mapping[str, Mapping[str, Any]],
        make: Callable[[str, Any, Mapping[str, Market]], Row],
    ) -> Call[Sequence[Row]]:
        """Return rows of the ports; markets are asked for only where there is a row."""
        if not rows:
            return []
        markets = yield from self.markets()
        return self.sensible(
            self.public("AssetPairs"),
            lambda: [make(id, row, markets) for id, row in rows.items()],
        )


def _rows(name: str, result: Any) -> Mapping[str, Mapping[str, Any]]:
    return rows_of(result[name])


def _turned(name: str, moment: str, result: Any) -> Turned:
    """Return a page as it came, with the count of all rows and the newest's moment."""
    rows, count = rows_of(result[name]), result["count"]
    if type(count) is not int or count < len(rows):
        raise ValueError(f"{count!r:.60} rows are fewer than those that came")
    moments = [seconds_of(row[moment]) for row in rows.values()]
    return Turned(rows, count, max(moments, default=None))
