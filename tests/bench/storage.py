"""Snapshots, measured: how fast they are written, what a row takes, how fast they go.

`python3 manage.py bench storage` fills the history of some accounts, a month back, with as
many snapshots as it is told. Then a tutorial's table, written one `create()` at a time,
takes turns with what a sync writes: balances, snapshots and the figures of days in one
statement. Medians, ratios and bytes come from one run. The tutorial's table has a foreign
key and the same uniqueness, and writes nothing else.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from uuid import UUID

from django.core.management import call_command
from django.db import connection, models, transaction
from django.utils.timezone import now
from rich.console import Console
from rich.table import Table

from accounts.fields import MinorUnits
from accounts.models import Account, Balance, Connection, Workspace
from accounts.services import keeping, statements
from tests.bench.meter import Cost, Meter

CONSOLE = Console(width=118)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
HISTORY = "accounts_balancesnapshot"
FILL = """
INSERT INTO accounts_balancesnapshot (account_id, total, available, held, as_of, source)
SELECT id, (random() * 10000000)::bigint, (random() * 10000000)::bigint, 0, %s, 'live'
FROM accounts_account
"""
COPY = """
INSERT INTO bench_tutorial (account_id, total, available, held, as_of, source)
SELECT account_id, total, available, held, as_of, source FROM accounts_balancesnapshot
"""
SIZE = "SELECT pg_table_size(%s), pg_indexes_size(%s)"
NEWEST = {
    "balance rows": "SELECT account_id, total FROM accounts_balance",
    "a look-up in history for each": """
      SELECT a.id, s.total FROM accounts_account a CROSS JOIN LATERAL (
        SELECT total FROM accounts_balancesnapshot s WHERE s.account_id = a.id
        ORDER BY s.as_of DESC LIMIT 1) s""",
}


class Tutorial(models.Model):
    """Past balances as a tutorial keeps them."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    total = MinorUnits()
    available = MinorUnits()
    held = MinorUnits(default=0)
    as_of = models.DateTimeField()
    source = models.CharField(max_length=10, default="live")

    class Meta:
        app_label = "bench"
        managed = False
        constraints = [
            models.UniqueConstraint(
                fields=["account", "as_of"], name="bench_one_per_moment"
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)


@dataclass
class Found:
    """What came of it: costs by contender, bytes a row, seconds."""

    costs: dict[str, list[Cost]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, tuple[float, float]] = field(default_factory=dict)
    newest: dict[str, float] = field(default_factory=dict)
    dropped: float = 0.0

    @property
    def ratio(self) -> float:
        """How many times as many rows a second a sync writes."""
        return median(self.rates("sync")) / median(self.rates("create"))

    @property
    def all_bytes(self) -> float:
        """Bytes of a snapshot, over both months."""
        parts = [(self.rows[n], sum(self.bytes[n])) for n in ("last", "this")]
        return sum(n * each for n, each in parts) / max(1, sum(n for n, _ in parts))

    def rates(self, name: str) -> list[float]:
        return [cost.rate for cost in self.costs[name]]


def main(argv: Sequence[str]) -> None:
    """Measure, and print what came of it."""
    wish = parser().parse_args(argv)
    call_command("migrate", verbosity=0)
    report(measure(wish), wish)


def parser() -> argparse.ArgumentParser:
    wishes = argparse.ArgumentParser(
        prog="manage.py bench storage", description=__doc__
    )
    wishes.add_argument("--accounts", type=int, default=10_000)
    wishes.add_argument("--rows", type=int, default=1_000_000, help="there before")
    wishes.add_argument("--creates", type=int, default=1_000, help="of each round")
    wishes.add_argument("--writes", type=int, default=20_000, help="of each round")
    wishes.add_argument("--batch", type=int, default=1_000, help="rows of a statement")
    wishes.add_argument("--rounds", type=int, default=3)
    return wishes


def measure(wish: argparse.Namespace) -> Found:
    """Fill the history, let both write in turns, and look what that takes."""
    found, ids = Found(), people(wish.accounts)
    batch = min(wish.batch, len(ids))  # a statement writes an account but once
    fill(wish)
    with tutorial():
        for number in range(wish.rounds):
            begun = now() + number * 3600 * SECOND
            for name, work, count in (
                ("create", create_all, wish.creates),
                ("sync", write_all, wish.writes),
            ):
                meter = Meter({"postgres": postgres()})
                meter.start()
                work(ids, begun, count, batch)
                found.costs.setdefault(name, []).append(meter.stop(count))
        look(found, "create", Tutorial._meta.db_table)
    look(found, "this", month(now()))
    look(found, "last", month(now().replace(day=1) - timedelta(days=1)))
    look(found, "days", "accounts_balanceday")
    found.newest = {name: timed(sql) for name, sql in NEWEST.items()}
    found.dropped = drop_oldest()
    return found


def people(count: int) -> list[UUID]:
    """Open `count` accounts with a balance each, and return their ids."""
    workspace = Workspace.objects.create(name="bench")
    owner = Connection.objects.create(workspace=workspace, provider="bench")
    rows = [
        Account(
            workspace=workspace,
            connection=owner,
            provider="bench",
            external_id=f"bench-{number}",
            asset="GBP/2",
        )
        for number in range(count)
    ]
    Account.objects.bulk_create(rows, batch_size=5_000)
    moment = now() - timedelta(days=60)
    Balance.objects.bulk_create(
        (
            Balance(account=a, total=0, available=0, as_of=moment, fetched_at=moment)
            for a in rows
        ),
        batch_size=5_000,
    )
    return [row.pk for row in rows]


def fill(wish: argparse.Namespace) -> None:
    """Let every account have changed often enough, half of it in the month before."""
    times, began = max(2, wish.rows // wish.accounts), now().replace(day=1)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT accounts_add_month(%s)", [(began - DAY).date().replace(day=1)]
        )
        cursor.execute("SET statement_timeout = 0")
        for since, until in ((began - 20 * DAY, began - DAY), (began, now())):
            step = (until - since) / (times // 2)
            for number in range(times // 2):
                cursor.execute(FILL, [since + number * step])
        cursor.execute("SET statement_timeout TO DEFAULT")
    keeping.pack_months()  # as every night


@contextmanager
def tutorial() -> Iterator[None]:
    """Have the tutorial's table, as full as the other."""
    with connection.schema_editor() as editor:
        editor.create_model(Tutorial)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute(COPY)
            cursor.execute("SET statement_timeout TO DEFAULT")
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else they are pending
        with connection.schema_editor() as editor:
            editor.delete_model(Tutorial)


def create_all(ids: Sequence[UUID], begun: datetime, count: int, _: int) -> None:
    """Write `count` snapshots as a tutorial does."""
    for number in range(count):
        Tutorial.objects.create(
            account_id=ids[number % len(ids)],
            total=number,
            available=number,
            as_of=begun + number // len(ids) * SECOND,
        )


def write_all(ids: Sequence[UUID], begun: datetime, count: int, batch: int) -> None:
    """Write `count` snapshots as a sync does, with the balances and days."""
    for start in range(0, count, batch):
        rows = [
            (ids[n % len(ids)], n, n, 0, moment, moment, True, "live", False)
            for n in range(start, min(start + batch, count))
            for moment in [begun + n // len(ids) * SECOND]
        ]
        with transaction.atomic():
            statements.write(statements.BALANCES, rows)


def look(found: Found, name: str, table: str) -> None:
    """Note how many rows a table has, and the bytes of one: as such, and in indexes."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
        count = found.rows[name] = cursor.fetchone()[0]
        cursor.execute(SIZE, [table, table])
        heap, indexes = cursor.fetchone()
    found.bytes[name] = heap / max(1, count), indexes / max(1, count)


def month(moment: datetime) -> str:
    return f"{HISTORY}_{moment:%Y_%m}"


def timed(sql: str) -> float:
    """Return the seconds that the best of three runs of a query takes."""
    taken = []
    for _ in range(3):
        begun = perf_counter()
        with connection.cursor() as cursor:
            cursor.execute(sql)
            cursor.fetchall()
        taken.append(perf_counter() - begun)
    return min(taken)


def drop_oldest() -> float:
    """Return the seconds that the month before takes to go."""
    name, begun = month(now().replace(day=1) - DAY), perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {name}")
    return perf_counter() - begun


def postgres() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("show data_directory")
        folder = Path(cursor.fetchone()[0])
    return [int((folder / "postmaster.pid").read_text().split()[0])]


# --- what came of it ---


def report(found: Found, wish: argparse.Namespace) -> None:
    """Print the tables, the ratio and what it is to be."""
    there = found.rows["last"] + found.rows["this"]
    table = Table(title=f"{there:,} snapshots of {wish.accounts:,} accounts")
    for heading in ("written by", "rows/s", "× create()", "PostgreSQL CPU-ms/1,000"):
        table.add_column(
            heading, justify="left" if heading == "written by" else "right"
        )
    names = {"create": "create(), one table", "sync": "a sync: balance, row, day"}
    usual = median(found.rates("create"))
    for name, text in names.items():
        cpu = median(c.cpu_per_1000("postgres") for c in found.costs[name])
        rate = median(found.rates(name))
        cells = f"{rate:,.0f}", f"{rate / usual:.1f}", f"{cpu * 1000:.0f}"
        table.add_row(text, *cells)
    CONSOLE.print(table)
    CONSOLE.print(sizes(found))
    quick, slow = found.newest.values()
    CONSOLE.print(
        f"Written {found.ratio:.1f} × create() (goal: 9), {found.all_bytes:.1f} bytes a "
        f"row (goal: at most 150). Newest of all accounts: {slow / quick:.0f} × a look-up "
        f"in history for each ({quick * 1000:.0f} ms). "
        f"A month dropped in {found.dropped:.2f} s."
    )


def sizes(found: Found) -> Table:
    table = Table(title="bytes a row")
    for heading in ("table", "rows", "heap", "indexes", "together"):
        table.add_column(heading, justify="left" if heading == "table" else "right")
    for name, text in {
        "create": "create(), one table",
        "last": "snapshots of a month that is over",
        "this": "snapshots of this month",
        "days": "figures of a day",
    }.items():
        heap, indexes = found.bytes[name]
        amounts = (f"{n:.1f}" for n in (heap, indexes, heap + indexes))
        table.add_row(text, f"{found.rows[name]:,}", *amounts)
    return table
