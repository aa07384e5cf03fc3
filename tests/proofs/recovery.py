"""Everything traded within 30 days comes back after it was wiped: `manage.py prove recovery`.

At the sandbox of every provider that reports trading, somebody has made thousands of
trades. All orders, trades and positions are read, wiped from the database, read again by
an emergency sync and compared, column by column; then they are read once more, which may
change nothing. The provider's limits are kept in real time: it exits 1 if the sandbox
turned a single request away for its rate, or if anything differs.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.core.management import call_command
from django.db import connection as database
from django.db import transaction
from rich.console import Console
from rich.table import Table

import providers
from accounts import services
from accounts.models import Connection, Order, Position, SyncRun, Trade, Workspace
from accounts.trading.progress import DONE, Progress
from providers.sandbox import registry
from providers.sandbox.institution import Institution
from providers.sandbox.server import Sandbox, serve
from providers.trading import ReportsTrading
from providers.wire import Response

CONSOLE = Console()
NAME = "recovery"
READINGS = ("first", "after wiping", "again")
# What we noted ourselves, and what the market moves while nobody trades.
OURS = {"id", "recorded_at", "seen_at"}
MOVING = {"mark_price", "pnl", "liquidation_price", "updated", "created"}


class Rows(dict[str, list[dict[str, Any]]]):
    """Rows by what they are, each as a dict of its columns."""


@dataclass
class Found:
    """What came of one provider."""

    counts: dict[str, int] = field(default_factory=dict)
    readings: dict[str, tuple[SyncRun, float]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)  # answers, by category
    wrong: list[str] = field(default_factory=list)


def traders() -> list[str]:
    """Return every provider that reports trading and has a sandbox."""
    return [
        slug
        for slug in registry.slugs()
        if issubclass(providers.load(slug), ReportsTrading)
    ]


def main(argv: Sequence[str]) -> int:
    """Recover everything at each provider, and return 1 if anything was not as promised."""
    wish = parser().parse_args(argv)
    call_command("migrate", verbosity=0)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    found = {}
    for slug in wish.only or traders():
        home = Workspace.objects.create(name=f"{NAME} {slug}")
        with serve(slug) as box:  # the same for all readings: limits are kept
            found[slug] = recover(
                slug,
                home,
                partial(nullcontext, box),
                trades=wish.trades,
                orders=wish.orders,
                log=log,
            )
    show(found)
    return int(not found or any(one.wrong for one in found.values()))


def parser() -> argparse.ArgumentParser:
    wishes = argparse.ArgumentParser(
        prog="manage.py prove recovery", description=__doc__
    )
    wishes.add_argument("--only", nargs="*", choices=traders())
    wishes.add_argument("--trades", type=int, default=5_000)
    wishes.add_argument("--orders", type=int, default=300)
    return wishes


def log(run: SyncRun, progress: Progress) -> None:
    if progress.waits_until or progress.pages % 10 == 0:
        waits = f", waits until {progress.waits_until[11:19]}"
        CONSOLE.log(progress.text + (waits if progress.waits_until else ""))


def recover(
    slug: str,
    home: Workspace,
    opened: Callable[[], AbstractContextManager[Sandbox]],
    *,
    trades: int,
    orders: int,
    markets: int = 12,
    log: Callable[[SyncRun, Progress], None] | None = None,
) -> Found:
    """Read, wipe, read and read again, each at a sandbox that `opened` opens."""
    found, before = Found(), Rows()
    with opened() as box:
        wishes = {"trades": trades, "orders": orders}
        [customer] = box[slug].add_customers([NAME], **wishes)
    connection = services.connect(home, slug, customer.credentials)
    for name in READINGS:
        with opened() as box, counted(box[slug], connection, found.refused):
            settings.PROVIDER_URLS = box.urls()
            read(found, name, connection, log)
        before = before or rows(connection)
        compare(found, name, before, rows(connection))
        if name == READINGS[0]:
            wipe(connection)
    found.counts = {name: len(told) for name, told in before.items()}
    found.counts["markets"] = len({row["market"] for row in before["trades"]})
    least = {"trades": trades, "orders": orders, "markets": markets}
    for name, few in least.items():
        if found.counts[name] < few:
            found.wrong.append(f"{found.counts[name]} {name} instead of {few}")
    if found.refused:
        found.wrong.append(f"turned away: {dict(found.refused)}")
    return found


def read(found: Found, name: str, connection: Connection, log: Any) -> None:
    """Carry out one emergency sync, and look at what it says of itself."""
    begun = time.monotonic()
    connection.refresh_from_db()
    [run] = services.sync_now([connection], "emergency", seconds=60, tell=log)
    found.readings[name] = run, time.monotonic() - begun
    progress = Progress.read(run.progress)
    if run.status != "ok" or progress.stage != DONE or progress.problems:
        found.wrong.append(f"{name}: {run.status}: {run.error} {progress.problems}")
    if name == READINGS[2] and (count := run.corrections.count()):
        found.wrong.append(f"{name}: {count} corrections")


def rows(connection: Connection) -> Rows:
    """Return all that is known, but for what we noted ourselves and what moves."""
    told = Rows()
    for name, model in (("orders", Order), ("trades", Trade), ("positions", Position)):
        left_out = OURS | (MOVING if model is Position else set())
        kept = model.objects.filter(connection=connection)
        told[name] = [
            {k: v for k, v in row.items() if k not in left_out}
            for row in kept.order_by("segment", "market", "external_id").values()
        ]
    gains = Trade.objects.filter(connection=connection, gain__isnull=False)
    told["gains"] = list(
        gains.order_by("market", "external_id").values(
            "market", "external_id", "gain__amount", "gain__asset"
        )
    )
    return told


def compare(found: Found, name: str, before: Rows, after: Rows) -> None:
    for noun, told in before.items():
        if after[noun] != told:
            differ = sum(row not in after[noun] for row in told)
            found.wrong.append(
                f"{name}: {len(after[noun])} {noun}, {differ} of {len(told)} differ"
            )


def wipe(connection: Connection) -> None:
    """Delete orders, trades, positions and how far they were read."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SET LOCAL balsync.retention = 'on'")
        cursor.execute(
            "DELETE FROM accounts_gain WHERE trade_id IN"
            " (SELECT id FROM accounts_trade WHERE connection_id = %s)",
            [connection.pk],
        )
        for table in ("trade", "order", "position", "bookcursor"):
            cursor.execute(
                f"DELETE FROM accounts_{table} WHERE connection_id = %s",
                [connection.pk],
            )
        cursor.execute("SET LOCAL balsync.retention = 'off'")


@contextmanager
def counted(
    institution: Institution, connection: Connection, refused: Counter[str]
) -> Iterator[None]:
    """Count the answers that turn somebody away for asking too much."""
    adapter, speak = connection.adapter, institution.answer

    def answer(asked):
        told = speak(asked)
        headers = {name.lower(): value for name, value in told.headers.items()}
        trouble = adapter.trouble(Response(told.status, headers, told.body))
        if trouble is not None and trouble.category != "down":
            refused[trouble.category] += 1
        return told

    institution.answer = answer
    yield
    institution.answer = speak


def show(found: dict[str, Found]) -> None:
    """Print what was read, how long that took, and what was not as promised."""
    shown = Table(title="Recovery of 30 days")
    for heading in ("provider", "reading", "seconds", "requests", "new", "corrections"):
        shown.add_column(heading)
    for slug, one in found.items():
        for name, (run, seconds) in one.readings.items():
            progress = Progress.read(run.progress)
            figures = (run.requests, progress.found, progress.changed)
            shown.add_row(slug, name, f"{seconds:.0f}", *map(str, figures))
    CONSOLE.print(shown)
    for slug, one in found.items():
        told = ", ".join(f"{count:,} {noun}" for noun, count in one.counts.items())
        CONSOLE.print(f"{slug}: {told}; turned away: {sum(one.refused.values())}")
        for text in one.wrong:
            CONSOLE.print(f"[red]{slug}: {text}")
