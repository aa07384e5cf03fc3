"""Orders, trades and positions. A book is one symbol of one segment: "spot:BTCUSDT"."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from providers.errors import Refused
from providers.fields import text
from providers.trading import (
    Market,
    Order,
    Page,
    Position,
    ReportsTrading,
    Row,
    Sought,
    Trade,
)
from providers.wire import Call, Request

from . import rows
from .accounts import Accounts
from .answers import natural, rows_of
from .history import PAGE, ByNumber, ByTime, Sweep
from .refusals import NoSuchOrder
from .speaking import FUTURES, SPOT

Read = Callable[[Any, rows.Markets], Row]

OPEN_ORDERS: Final[Mapping[str, tuple[str, int]]] = {
    SPOT: ("/api/v3/openOrders", 80),
    FUTURES: ("/fapi/v1/openOrders", 40),
}
ORDER: Final[Mapping[str, tuple[str, int]]] = {
    SPOT: ("/api/v3/order", 4),
    FUTURES: ("/fapi/v1/order", 1),
}
ORDERS: Final[Mapping[str, tuple[str, int]]] = {
    SPOT: ("/api/v3/allOrders", 20),
    FUTURES: ("/fapi/v1/allOrders", 5),
}
TRADES: Final[Mapping[str, tuple[str, int]]] = {
    SPOT: ("/api/v3/myTrades", 20),
    FUTURES: ("/fapi/v1/userTrades", 5),
}
AS_ORDER: Final = {SPOT: rows.spot_order, FUTURES: rows.futures_order}
AS_TRADE: Final = {SPOT: rows.spot_trade, FUTURES: rows.futures_trade}


class Trading(Accounts, ReportsTrading):
    """The part of the adapter that tells orders, trades and positions."""

    def books(
        self, assets: Collection[str], known: Collection[Market], *, wide: bool = False
    ) -> Call[Sequence[str]]:
        """Return the symbols in which trades may be, by what they exchange.

        Source: "Exchange information"; "Get Income History" of the futures, which names
        every contract that was traded in the last three months.
        """
        mine = {(market.segment, market.name) for market in known}
        for segment in self.markets:
            if segment == FUTURES and not wide:
                mine |= {(FUTURES, name) for name in (yield from self._contracts())}
                continue
            every = yield from self.every_market(segment)
            mine |= {
                (segment, market.name)
                for market in every.values()
                if _may_hold(market, set(assets), wide=wide)
            }
        return sorted(f"{s}:{name}" for s, name in mine if s in self.markets)

    def _contracts(self) -> Call[set[str]]:
        """Return the contracts for which commission was paid: those that were traded."""
        found: set[str] = set()
        start, about = 1, {"incomeType": "COMMISSION", "limit": f"{PAGE}"}
        while True:
            params = {**about, "startTime": f"{start}"}
            asked = self.private(FUTURES, "/fapi/v1/income", 30, **params)
            paid = yield from self.ask(asked, _paid)
            found |= {symbol for symbol, _ in paid}
            if len(paid) < PAGE:
                return found
            start = max(start + 1, *(moment for _, moment in paid))

    def open_orders(self) -> Call[Sequence[Order]]:
        """Return the open orders of every symbol, conditional ones of futures, too.

        Source: "Current open orders"; "Current All Algo Open Orders".
        """
        found: list[Order] = []
        for segment in self.markets:
            path, weight = OPEN_ORDERS[segment]
            asked = self.private(segment, path, weight)
            told = yield from self.ask(asked, rows_of)
            found += yield from self._read(segment, asked, told, AS_ORDER[segment])
        if FUTURES in self.markets:
            asked = self.private(FUTURES, "/fapi/v1/openAlgoOrders", 40)
            told = yield from self.ask(asked, _waiting)
            found += yield from self._read(FUTURES, asked, told, rows.conditional_order)
        return found

    def find_order(self, sought: Sought) -> Call[Order | None]:
        """Return an order. Source: "Query order".

        Returns None for -2013, "Order does not exist": futures say so, too, of what was
        cancelled unfilled three days ago, and of all that is older than 90 days. Raises
        OrderArchived for -2026: cancelled or expired unfilled more than 90 days ago.
        """
        market = sought.market
        if sought.external_id.startswith(rows.CONDITIONAL):
            return (yield from self._conditional(sought))
        path, weight = ORDER[market.segment]
        about = {"symbol": market.name, "orderId": sought.external_id}
        asked = self.private(market.segment, path, weight, **about)
        read = AS_ORDER[market.segment]
        try:
            return (yield from self.ask(asked, lambda row: _same(sought, row, read)))
        except NoSuchOrder:
            return None

    def _conditional(self, sought: Sought) -> Call[Order | None]:
        """Return a conditional order; once triggered, it is as the order it has made.

        Source: the futures' "Query Algo Order".
        """
        number = sought.external_id.removeprefix(rows.CONDITIONAL)
        asked = self.private(FUTURES, "/fapi/v1/algoOrder", 1, algoId=number)
        try:
            row = yield from self.ask(asked, dict)
        except NoSuchOrder:
            return None
        made = self.sensible(asked, lambda: rows.made_of(row))
        if not made:
            read = rows.conditional_order
            return self.sensible(asked, lambda: _same(sought, row, read))
        order = yield from self.find_order(Sought(made, sought.market))
        return order and replace(order, external_id=sought.external_id)

    def orders(
        self, book: str, cursor: str, *, now: datetime, since: datetime
    ) -> Call[Page[Order]]:
        """Return orders. Source: "All orders". What is open is read again next time."""
        segment, symbol = self._book(book)
        sweep: Sweep = ByNumber("orderId", cursor, since, open_again=True)
        if segment == FUTURES:
            sweep = ByTime("orderId", cursor, now=now, since=since, open_again=True)
        return (yield from self._swept(segment, symbol, sweep, ORDERS, AS_ORDER))

    def trades(
        self, book: str, cursor: str, *, now: datetime, since: datetime
    ) -> Call[Page[Trade]]:
        """Return trades. Source: "Account trade list".

        Spot is read by the ids of trades, a thousand at a time; futures by weeks, which
        is the longest stretch they tell, and for six months.
        """
        segment, symbol = self._book(book)
        sweep: Sweep = ByNumber("fromId", cursor, since)
        if segment == FUTURES:
            sweep = ByTime("id", cursor, now=now, since=since)
        return (yield from self._swept(segment, symbol, sweep, TRADES, AS_TRADE))

    def positions(self) -> Call[Sequence[Position]]:
        """Return the contracts that are held. Source: "Position Information V3".

        It lists what is held only; in spot there are no positions.
        """
        if FUTURES not in self.markets:
            return []
        asked = self.private(FUTURES, "/fapi/v3/positionRisk", 5)
        told = yield from self.ask(asked, rows_of)
        found = yield from self._read(FUTURES, asked, told, rows.position)
        return [position for position in found if position is not None]

    # -- inside

    def _book(self, book: str) -> tuple[str, str]:
        segment, _, symbol = book.partition(":")
        if segment not in self.markets or not symbol:
            raise Refused(f"{self.name} has no book called {book:.60}")
        return segment, symbol

    def _swept(
        self,
        segment: str,
        symbol: str,
        sweep: Sweep,
        where: Mapping[str, tuple[str, int]],
        read: Mapping[str, Any],
    ) -> Call[Page[Any]]:
        """Return one page of a history; only the first may take two requests."""
        path, weight = where[segment]
        while (params := sweep.wanted()) is not None:
            asked = self.private(segment, path, weight, symbol=symbol, **params)
            told = yield from self.ask(asked, sweep.checked)
            sweep.take(told)
        found = yield from self._read(segment, asked, sweep.rows, read[segment])
        return Page(found, sweep.cursor, sweep.more)

    def _read(
        self, segment: str, asked: Request, told: Sequence[Any], read: Read[Row]
    ) -> Call[list[Row]]:
        """Return rows with their markets, which are asked for where they are new."""

        def symbols() -> set[str]:
            return {row["symbol"] for row in told}

        def every(markets: rows.Markets) -> list[Row]:
            return [read(row, markets) for row in told]

        wanted = self.sensible(asked, symbols)
        markets = yield from self.named(segment, wanted)
        return self.sensible(asked, partial(every, markets))


def _may_hold(market: Market, assets: set[str], *, wide: bool) -> bool:
    if wide:
        return market.base in assets or market.quote in assets
    return market.base in assets and market.quote in assets


def _paid(body: Any) -> Sequence[tuple[str, int]]:
    return [(text(row["symbol"]), natural(row["time"])) for row in rows_of(body)]


def _waiting(body: Any) -> Sequence[Any]:
    return [row for row in rows_of(body) if row["algoStatus"] not in rows.TRIGGERED]


def _same(sought: Sought, row: Any, read: Read[Order]) -> Order:
    order = read(row, {sought.market.name: sought.market})
    if order.external_id != sought.external_id:
        raise ValueError(f"Another order answered: {order.external_id}")
    return order
