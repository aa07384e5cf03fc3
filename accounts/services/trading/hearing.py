"""Writes down orders and trades that a stream told."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.timezone import now

from accounts.models import Connection, SyncRun
from accounts.trading import checking
from providers import trading

from . import findings, writing
from .writing import Place


def hear(
    connection: Connection,
    orders: Sequence[trading.Order],
    trades: Sequence[trading.Trade],
) -> SyncRun:
    """Store what a stream told, all or nothing, as a sync run of its own.

    Raises UnusableRow for what makes no sense, and NotInUse.
    """
    told_orders, told_trades = checking.orders(orders), checking.trades(trades)
    moment = now()
    with writing.alone(connection.pk):
        run = SyncRun.objects.create(
            connection=connection,
            kind=SyncRun.Kind.STREAM,
            status=SyncRun.Status.OK,
            started=moment,
            finished=moment,
        )
        place = Place(connection.pk, run.pk)
        writing.write_orders(place, told_orders, moment)
        verdict = writing.write_trades(place, told_trades)
        findings.keep_rewritten(place, verdict.rewritten)
    return run
