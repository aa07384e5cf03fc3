"""How tests read trading, wipe it, and look at what is known."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection as database
from django.db import transaction
from django.utils.timezone import now

from accounts import services
from accounts.models import (
    Order,
    Position,
    SyncRun,
    Trade,
)
from providers.trading import Market

from .rows import an_order

HERE = Market("A00Q", "A00", "Q")
OURS = {"id", "recorded_at", "seen_at"}  # what we only noted ourselves


def read(connection, kind: str = "manual") -> SyncRun:
    """Sync here and now, waiting for nobody."""
    [run] = services.sync([connection], kind)
    return services.see_through(run, sleep=lambda seconds: hurry())


def hurry() -> None:
    SyncRun.objects.filter(status="running").update(resume_at=now())


def wipe() -> None:
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SET LOCAL balsync.retention = 'on'")
        cursor.execute("DELETE FROM accounts_gain; DELETE FROM accounts_trade")
        cursor.execute("DELETE FROM accounts_order; DELETE FROM accounts_position")
        cursor.execute("SET LOCAL balsync.retention = 'off'")


def rows() -> dict[str, list[dict]]:
    """Return all that is known, without what we only noted ourselves."""
    told = {}
    for model in (Order, Trade, Position):
        ours = OURS | ({"created"} if model is Position else set())
        told[model.__name__] = [
            {k: v for k, v in row.items() if k not in ours}
            for row in model.objects.order_by("market", "external_id").values()
        ]
    return told


def recent(name: str, **more):
    return an_order(name, market=HERE, created=now() - timedelta(days=1), **more)


def again(connection) -> None:
    """Let the next periodic sync read trading."""
    connection.trading_read_at = None
    connection.save(update_fields=["trading_read_at"])


def reset(bourse) -> None:
    """Let a testnet begin anew: nobody remembers anything."""
    bourse.orders, bourse.trades, bourse.positions = [], [], []
