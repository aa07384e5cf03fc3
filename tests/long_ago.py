"""A rule that has run for years, and how much of that is read again."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from django.db import connection
from django.utils.timezone import now

from automation.models import RuleRun, Transfer

MANY = 3_000
READ = """
SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))
FROM pg_stat_xact_user_tables
WHERE relname = ANY(%s)
"""


def read_by_now(*models):
    """Return how many rows of these were read in this transaction: of both, else."""
    tables = [model._meta.db_table for model in models or (RuleRun, Transfer)]
    with connection.cursor() as cursor:
        cursor.execute(READ, [tables])
        return cursor.fetchone()[0]


def make_many(rule, source, target):
    """Make thousands of runs of `rule` that moved a penny each, the last days ago."""
    day = now() - timedelta(days=9)
    over = {"status": "succeeded", "finished_at": day, "trigger_kind": "manual"}
    runs = [
        RuleRun(
            rule=rule,
            key=f"long ago {number}",
            scheduled_for=day - timedelta(minutes=number),
            **over,
        )
        for number in range(MANY)
    ]
    rows = [
        Transfer(
            id=uuid4(),
            run=run,
            move=0,
            source=source,
            target=target,
            amount=1,
            asset="GBP/2",
            status="done",
            settled_at=day - timedelta(minutes=number),
        )
        for number, run in enumerate(runs)
    ]
    RuleRun.objects.bulk_create(runs)
    Transfer.objects.bulk_create(rows)


def forget():
    """Let PostgreSQL know nothing of the tables, as in a new installation.

    It may have looked at them by itself, while they were empty between two tests,
    and their indexes are as large as all that was ever rolled back made them.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        for model in (RuleRun, Transfer):
            table = model._meta.db_table
            cursor.execute("SELECT pg_clear_relation_stats('public', %s)", [table])
            cursor.execute(f"REINDEX TABLE {connection.ops.quote_name(table)}")


def analyze():
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE automation_rulerun, automation_transfer")
