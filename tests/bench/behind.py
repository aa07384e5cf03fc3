"""What is over, measured: what a run costs with thousands of its rule behind it.

`python3 manage.py bench behind` carries out runs of a rule that is new, fills its history with
ever more of them, each with a transfer that was settled in the last 300 days, and carries out
more. Wall and CPU time are what is ours, without the bank; the ratio is to the first.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from statistics import median
from typing import Any
from uuid import UUID

from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Model
from rich.table import Table

from automation.models import Rule, RuleRun, Transfer
from balsync_project.garbage import IN_BULK, collect_rarely
from tests.bench import storage
from tests.bench.rules import CONSOLE, customer, product, topped_up
from tests.bench.sync import bank

# Copies of the rule's first run and its transfer. Triggers would tell somebody of each.
FILL = """
WITH one AS (
  SELECT * FROM automation_rulerun WHERE rule_id = %s ORDER BY created LIMIT 1
), made AS (
  INSERT INTO automation_rulerun (id, key, created, {of_run})
  SELECT gen_random_uuid(), 'behind:' || gen_random_uuid(),
    now() - random() * interval '300 days', {of_run}
  FROM one, generate_series(1, %s) RETURNING id, created
)
INSERT INTO automation_transfer (id, run_id, created, settled_at, {of_transfer})
SELECT gen_random_uuid(), made.id, made.created, made.created, {of_transfer}
FROM made, (
  SELECT {of_transfer} FROM automation_transfer WHERE run_id = (SELECT id FROM one)
) AS moved
"""


def main(argv: Sequence[str]) -> None:
    """Measure runs with more and more behind them, and print the table."""
    wish = parser().parse_args(argv)
    collect_rarely(IN_BULK)  # as in every worker
    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, bank(folder) as remote:
        CONSOLE.print(table(remote, wish, storage.people(10)))


def parser() -> argparse.ArgumentParser:
    wishes = argparse.ArgumentParser(prog="manage.py bench behind", description=__doc__)
    wishes.add_argument("--runs", type=int, default=60, help="carried out each time")
    wishes.add_argument(
        "--behind", type=int, nargs="+", default=[1_000, 10_000, 40_000]
    )
    return wishes


def table(remote: Any, wish: argparse.Namespace, owners: Sequence[UUID]) -> Table:
    shown = Table(title=f"One run of a rule, {wish.runs} each, beside the bank's calls")
    for heading in ("runs behind it", "statements", "wall ms", "CPU ms", "× the first"):
        shown.add_column(heading, justify="right")
    rule = topped_up(*customer(remote, "topup"))
    first = 0.0
    for count in (0, *sorted(wish.behind)):
        fill(rule, count - rule.runs.count())
        cost = product(rule, wish.runs, owners, f"{count} behind")
        wall = median(cost.wall)
        first = first or wall
        shown.add_row(
            f"{count:,}",
            str(cost.statements),
            f"{wall:.1f}",
            f"{median(cost.cpu):.1f}",
            f"{wall / first:.2f}",
        )
    return shown


def fill(rule: Rule, count: int) -> None:
    """Give `rule` so many runs more that are over; PostgreSQL looks at them by itself."""
    if count <= 0:
        return
    of_run = columns(RuleRun, "id", "key", "created")
    of_transfer = columns(Transfer, "id", "run_id", "created", "settled_at")
    with connection.cursor() as cursor:
        with transaction.atomic():
            cursor.execute("SET LOCAL session_replication_role = replica")
            sql = FILL.format(of_run=of_run, of_transfer=of_transfer)
            cursor.execute(sql, [rule.pk, count])
        cursor.execute("ANALYZE")  # as autovacuum does within a minute


def columns(model: type[Model], *without: str) -> str:
    names = (field.column for field in model._meta.concrete_fields)
    return ", ".join(name for name in names if name not in without)
