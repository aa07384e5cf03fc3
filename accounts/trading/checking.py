"""What a row must be before any of it is believed: one bad row discredits its page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from accounts.text import clean, is_clean
from providers.errors import ProviderError
from providers.money import MoneyError
from providers.trading import STATUSES, Market, Order, Position, Trade

from .figures import exact
from .words import Row, key_of

LONGEST_ID = 100  # characters
LONGEST_MARKET = 60
LONGEST_WORD = 40
LONGEST_CODE = 24
SIDES = frozenset({"buy", "sell"})
WAYS = frozenset({"long", "short"})

Told = TypeVar("Told", bound=Row)


class UnusableRow(ProviderError):
    """An order, a trade or a position makes no sense; nothing of its answer is used."""

    code = "unusable_row"


def orders(told: Iterable[Order]) -> list[Order]:
    """Return `told` in plain form; raises UnusableRow."""
    return _each_once([_order(row) for row in told])


def trades(told: Iterable[Trade]) -> list[Trade]:
    """Return `told` in plain form; raises UnusableRow."""
    return _each_once([_trade(row) for row in told])


def positions(told: Iterable[Position]) -> list[Position]:
    """Return `told` in plain form; raises UnusableRow."""
    return _each_once([_position(row) for row in told])


def _order(row: Order) -> Order:
    _identify(row)
    _one_of(row.side, SIDES, "side", row)
    _one_of(row.status, STATUSES, "status", row)
    _moments(row, row.created, row.updated)
    return replace(
        row,
        kind=clean(row.kind, LONGEST_WORD),
        client_id=clean(row.client_id, LONGEST_ID),
        quantity=_least_zero(row, row.quantity),
        filled=_least_zero(row, row.filled),
        cost=_maybe(row, row.cost),
        price=_maybe(row, row.price),
    )


def _trade(row: Trade) -> Trade:
    _identify(row)
    _one_of(row.side, SIDES, "side", row)
    _moments(row, row.created)
    return replace(
        row,
        order_id=clean(row.order_id, LONGEST_ID),
        quantity=_least_zero(row, row.quantity),
        price=_figure(row, row.price),
        cost=_figure(row, row.cost),
        fee=_maybe(row, row.fee),
        fee_asset=clean(row.fee_asset, LONGEST_CODE),
        pnl=_maybe(row, row.pnl),
        pnl_asset=clean(row.pnl_asset, LONGEST_CODE),
    )


def _position(row: Position) -> Position:
    _identify(row)
    _one_of(row.side, WAYS, "side", row)
    _moments(row, row.updated)
    quantity = _least_zero(row, row.quantity)
    if not quantity:
        raise UnusableRow(f"{_name(row)} is a position of nothing")
    return replace(
        row,
        quantity=quantity,
        entry_price=_maybe(row, row.entry_price),
        mark_price=_maybe(row, row.mark_price),
        pnl=_maybe(row, row.pnl),
        pnl_asset=clean(row.pnl_asset, LONGEST_CODE),
        liquidation_price=_maybe(row, row.liquidation_price),
    )


def _identify(row: Row) -> None:
    market: Market = row.market
    words = (
        (row.external_id, LONGEST_ID),
        (market.name, LONGEST_MARKET),
        (market.segment, LONGEST_WORD),
        (market.base, LONGEST_CODE),
        (market.quote, LONGEST_CODE),
    )
    for word, longest in words:
        if not isinstance(word, str) or not is_clean(word, longest):
            raise UnusableRow(f"{word!r:.60} names nothing")


def _one_of(word: str, words: frozenset[str], what: str, row: Row) -> None:
    if word not in words:
        raise UnusableRow(f"{_name(row)} has the {what} {word!r:.40}")


def _moments(row: Row, *moments: datetime | None) -> None:
    for moment in moments:
        if moment is not None and moment.tzinfo is None:
            raise UnusableRow(f"{_name(row)} has a time without a zone")


def _figure(row: Row, value: Decimal) -> Decimal:
    try:
        return exact(value)
    except MoneyError as error:
        raise UnusableRow(f"{_name(row)}: {error}") from error


def _maybe(row: Row, value: Decimal | None) -> Decimal | None:
    return None if value is None else _figure(row, value)


def _least_zero(row: Row, value: Decimal) -> Decimal:
    figure = _figure(row, value)
    if figure < 0:
        raise UnusableRow(f"{_name(row)} has a quantity below zero")
    return figure


def _each_once(rows: Sequence[Told]) -> list[Told]:
    """Return each row once; raises UnusableRow where one is told in two ways."""
    found: dict[tuple[str, str, str], Told] = {}
    for row in rows:
        before = found.setdefault(key_of(row), row)
        if before != row:
            raise UnusableRow(f"{_name(row)} is told in two ways at once")
    return list(found.values())


def _name(row: Row) -> str:
    return f"{row.market.name} {row.external_id}"[:170]
