"""Writes down what answers mean: each in one short transaction, with few statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import Connection
from accounts.services.statements import write
from accounts.trading import orders, positions, trades
from accounts.trading.words import Change, KnownOrder, Most, key_of
from providers import trading
from providers.errors import ProviderError

from . import known, statements


class NotInUse(ProviderError):
    """The connection is no longer in use."""

    code = "archived"


@dataclass(frozen=True, slots=True)
class Place:
    """For which connection, and in which sync, something is written."""

    connection_id: UUID
    sync_id: UUID
    recovering: bool = False  # what is new should have been known


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows were new, and how many corrections were made."""

    found: int = 0
    changed: int = 0


def counts(
    verdict: orders.Orders | trades.Trades | positions.Positions,
) -> Written:
    """Return how much of a verdict is news."""
    return Written(len(verdict.found), len(verdict.changes))


@contextmanager
def alone(connection_id: UUID) -> Iterator[None]:
    """Let nobody else write about this connection meanwhile; raises NotInUse."""
    with transaction.atomic():
        rows = Connection.objects.select_for_update(no_key=True).filter(
            archived_at=None
        )
        if not rows.filter(pk=connection_id).exists():
            raise NotInUse
        yield


def write_orders(
    place: Place,
    told: Sequence[trading.Order],
    seen_at: datetime,
    *,
    reason: str = orders.TOLD,
) -> orders.Orders:
    """Store orders that were told, and what changed about them; the caller is alone."""
    before = known.orders(place.connection_id, [key_of(row) for row in told])
    verdict = orders.meet(before, told, reason=reason, recovering=place.recovering)
    write(
        statements.FIND_ORDERS,
        sorted(
            (
                (
                    pk,
                    place.connection_id,
                    *_market(row),
                    row.external_id,
                    row.client_id,
                    *_order(row),
                    seen_at,
                )
                for pk, row in verdict.found
            ),
            key=lambda cells: cells[0],
        ),
    )
    changed = sorted(verdict.changed, key=lambda pair: pair[0])
    write(
        statements.CHANGE_ORDERS,
        [(pk, row.client_id, *_order(row), seen_at) for pk, row in changed],
    )
    seen = sorted([*verdict.confirmed, *verdict.older])
    write(statements.SEEN_ORDERS, [(pk, seen_at) for pk in seen])
    write_changes(place, verdict.changes)
    return verdict


def _market(row: Any) -> tuple[str, ...]:
    market: trading.Market = row.market
    return market.segment, market.name, market.base, market.quote


def _order(row: trading.Order) -> tuple[Any, ...]:
    return (
        row.side,
        row.kind,
        row.status,
        row.quantity,
        row.filled,
        row.cost,
        row.price,
        row.created,
        row.updated,
    )


def write_trades(place: Place, told: Sequence[trading.Trade]) -> trades.Trades:
    """Store new trades; what is told otherwise stays as it was. The caller is alone."""
    before = known.trades(place.connection_id, [key_of(row) for row in told])
    verdict = trades.sift(before, told, recovering=place.recovering)
    write(
        statements.FIND_TRADES,
        [
            (
                pk,
                place.connection_id,
                *_market(row),
                row.external_id,
                row.order_id,
                row.side,
                row.quantity,
                row.price,
                row.cost,
                row.fee,
                row.fee_asset,
                row.maker,
                row.pnl,
                row.pnl_asset,
                row.created,
            )
            for pk, row in verdict.found
        ],
    )
    write_changes(place, verdict.changes)
    return verdict


def write_positions(
    place: Place,
    told: Sequence[trading.Position],
    seen_at: datetime,
    *,
    derived: bool = False,
) -> positions.Positions:
    """Store positions that were told, or worked out; the caller is alone."""
    before = known.positions(place.connection_id, derived=derived)
    # What is worked out changes with each trade, and trades are told of themselves.
    verdict = positions.meet(before, told, recovering=place.recovering and not derived)
    write(
        statements.FIND_POSITIONS,
        [
            (
                pk,
                place.connection_id,
                *_market(row),
                row.external_id,
                *known.figures(row),
                seen_at,
                derived,
            )
            for pk, row in verdict.found
        ],
    )
    write(
        statements.CHANGE_POSITIONS,
        [
            (pk, *known.figures(row), seen_at, derived)
            for pk, row in sorted_by_id(verdict)
        ],
    )
    write(statements.SEEN_POSITIONS, [(pk, seen_at) for pk in verdict.confirmed])
    if not derived:
        write_changes(place, verdict.changes)
    return verdict


def sorted_by_id(verdict: positions.Positions) -> list[tuple[UUID, trading.Position]]:
    return sorted(verdict.changed, key=lambda pair: pair[0])


def write_absent(
    place: Place, live_before: int, since: datetime, most: Most
) -> orders.Missing:
    """Conclude about the orders of which the provider said since then that it has none."""
    gone = [
        k
        for k in known.live_orders(place.connection_id)
        if k.absent_at is not None and k.absent_at >= since
    ]
    verdict = orders.conclude(gone, live_before, most)
    believe_absent(place, verdict.absent, verdict.changes)
    text = f"{len(verdict.held_back)} of {live_before} open orders are gone at once"
    doubt(verdict.held_back, text)
    return verdict


def believe_absent(
    place: Place, ids: Sequence[UUID], changes: Sequence[Change]
) -> None:
    """Store that the provider has no such orders."""
    write_ids(statements.ABSENT_ORDERS, ids)
    write_changes(place, changes)


def doubt(
    rows: Iterable[KnownOrder], text: str, *, absent_at: datetime | None = None
) -> None:
    """Store why it is not known how these orders are; they stay as they were."""
    cells = [(k.id, text[:500], absent_at) for k in rows]
    write(statements.DOUBT_ORDERS, sorted(cells, key=lambda row: row[0]))


def close_positions(
    place: Place, ids: Sequence[UUID], changes: Sequence[Change]
) -> None:
    """Store that these positions are closed."""
    write_ids(statements.CLOSE_POSITIONS, ids)
    write_changes(place, changes)


def write_changes(place: Place, changes: Iterable[Change]) -> None:
    """Store corrections of orders, trades and positions."""
    write(
        statements.CORRECTIONS,
        [
            (
                place.sync_id,
                c.kind,
                c.id,
                c.subject,
                c.field,
                c.old,
                c.new,
                c.difference,
                c.severity,
                c.reason[:200],
            )
            for c in changes
        ],
    )


def write_ids(statement: str, ids: Sequence[UUID]) -> None:
    """Run a statement over the ids of rows; nothing if there is none."""
    write(statement, [(pk,) for pk in sorted(ids)])
