"""What the database knows of orders, trades and positions, in the words of the ports."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounts.models import Account, BalanceSnapshot, Order, Position, Trade
from accounts.trading.gains import SPOT, Holding
from accounts.trading.words import Key, KnownOrder, KnownPosition, key_of
from providers import trading
from providers.money import EXACT, Asset
from providers.trading import LIVE, Market

FUTURES = "futures"  # the kind of accounts that no spot trade touches


def order_of(row: Order) -> KnownOrder:
    """Return a row as it is compared with what is told."""
    told = trading.Order(
        row.external_id,
        row.place,
        row.side,
        row.kind,
        row.status,
        row.quantity,
        row.filled,
        row.created,
        row.cost,
        row.price,
        row.updated,
        row.client_id,
    )
    return KnownOrder(row.pk, told, row.seen_at, row.absent_at, row.doubt)


def trade_of(row: Trade) -> trading.Trade:
    """Return a row as it is compared with what is told."""
    return trading.Trade(
        row.external_id,
        row.order_id,
        row.place,
        row.side,
        row.quantity,
        row.price,
        row.cost,
        row.created,
        row.fee,
        row.fee_asset,
        row.maker,
        row.pnl,
        row.pnl_asset,
    )


def position_of(row: Position) -> KnownPosition:
    """Return a row as it is compared with what is told."""
    told = trading.Position(row.external_id, row.place, *figures(row))
    return KnownPosition(row.pk, told, row.seen_at, row.closed_at is not None)


def figures(row: Position | trading.Position) -> tuple[Any, ...]:
    """Return what is told of a position beside what it is, in the order of the columns."""
    return (
        row.side,
        row.quantity,
        row.entry_price,
        row.mark_price,
        row.pnl,
        row.pnl_asset,
        row.liquidation_price,
        row.updated,
    )


def orders(connection_id: UUID, keys: Collection[Key]) -> dict[Key, KnownOrder]:
    """Return the known ones of these orders."""
    rows = Order.objects.filter(connection=connection_id, **_named(keys))
    return {key_of(k.order): k for k in map(order_of, rows)}


def trades(connection_id: UUID, keys: Collection[Key]) -> dict[Key, trading.Trade]:
    """Return the known ones of these trades."""
    rows = Trade.objects.filter(connection=connection_id, **_named(keys))
    return {key_of(trade): trade for trade in map(trade_of, rows)}


def _named(keys: Collection[Key]) -> dict[str, set[str]]:
    # More than asked for may come: every id in every market. Nobody takes those.
    names = ("segment__in", "market__in", "external_id__in")
    parts = zip(*keys, strict=True) if keys else ((), (), ())
    return {name: set(part) for name, part in zip(names, parts, strict=True)}


def live_orders(connection_id: UUID) -> list[KnownOrder]:
    """Return the orders that were live when we last knew, the oldest first."""
    rows = Order.objects.filter(connection=connection_id, status__in=LIVE)
    return [order_of(row) for row in rows.order_by("created", "pk")]


def positions(connection_id: UUID, *, derived: bool) -> dict[Key, KnownPosition]:
    """Return the positions that were told, or worked out; closed ones, too."""
    rows = Position.objects.filter(connection=connection_id, derived=derived)
    return {key_of(k.position): k for k in map(position_of, rows)}


def all_trades(connection_id: UUID) -> list[trading.Trade]:
    """Return every spot trade of a connection."""
    rows = Trade.objects.filter(connection=connection_id, segment=SPOT)
    return [trade_of(row) for row in rows.iterator(2_000)]


def markets(connection_id: UUID) -> set[Market]:
    """Return the markets in which anything was ever seen."""
    fields = ("market", "base", "quote", "segment")
    return {
        Market(*row)
        for model in (Order, Trade, Position)
        for row in model.objects.filter(connection=connection_id)
        .order_by()
        .values_list(*fields)
        .distinct()
    }


def codes(connection_id: UUID) -> set[str]:
    """Return the assets that were ever held."""
    told = Account.objects.filter(connection=connection_id)
    return {Asset.parse(asset).code for asset in told.values_list("asset", flat=True)}


def holdings(connection_id: UUID, since: datetime) -> dict[str, Holding]:
    """Return what is held of each asset, outside futures, with readings from `since` on.

    Several accounts of one asset are added up; their readings are of different moments
    and prove nothing.
    """
    accounts = Account.objects.filter(connection=connection_id).exclude(kind=FUTURES)
    by_code: dict[str, list[Account]] = {}
    for account in accounts.select_related("balance"):
        by_code.setdefault(account.unit.code, []).append(account)
    return {
        code: _holding(rows, since)
        for code, rows in by_code.items()
        if all(hasattr(row, "balance") for row in rows)
    }


def _holding(rows: list[Account], since: datetime) -> Holding:
    total = Decimal(0)
    for row in rows:
        total = EXACT.add(total, _whole(row.balance.total, row.unit))
    readings: Iterable[tuple[datetime, int]] = ()
    if len(rows) == 1:
        kept = BalanceSnapshot.objects.filter(account=rows[0], as_of__gte=since).heard()
        readings = kept.order_by("as_of").values_list("as_of", "total")
    return Holding(
        total,
        min(row.balance.as_of for row in rows),
        [(moment, _whole(total, rows[0].unit)) for moment, total in readings],
    )


def _whole(minor: int, unit: Asset) -> Decimal:
    return Decimal(unit.major(minor))
