"""A run reads no more for all those that are over, however many there were."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils.timezone import now

from automation import services, tasks
from automation.models import RuleRun, Transfer

from .conftest import gbp, leg

pytestmark = pytest.mark.django_db
MANY = 3_000
READ = """
SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))
FROM pg_stat_xact_user_tables
WHERE relname IN ('automation_rulerun', 'automation_transfer')
"""


@pytest.fixture
def penny(alice):
    """Move a penny whenever it is asked."""
    alice.fill(alice.main, 1000_00)
    target = leg(alice.pots[0], "target", strategy="fixed", amount=gbp(1))
    return alice.rule("topup", leg(alice.main, "source"), target)


@pytest.fixture
def rows_read(penny):
    """Carry out a run as a worker does, and return how many rows of both tables it read."""

    def count():
        with connection.cursor() as cursor:
            cursor.execute(READ)
            return cursor.fetchone()[0]

    def carry_out(key):
        run, _ = services.start_run(penny, key, trigger_kind="manual")
        before = count()
        tasks.execute_run(str(run.pk))
        run.refresh_from_db()
        assert run.status == "succeeded", run.reason
        return count() - before

    with connection.cursor() as cursor:  # what a worker has after its first few
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    return carry_out


def long_ago(rule, source, target):
    """Make thousands of runs of `rule` that moved a penny each, the last days ago."""
    day = now() - timedelta(days=9)
    over = {"status": "succeeded", "finished_at": day, "scheduled_for": day}
    runs = [
        RuleRun(rule=rule, key=f"long ago {n}", trigger_kind="manual", **over)
        for n in range(MANY)
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


@pytest.mark.parametrize("known", [True, False])
def test_a_run_reads_no_more_for_all_that_were_before_it(
    penny, alice, rows_read, known
):
    """Whether PostgreSQL has looked at the tables since, or not yet."""
    first = rows_read("first")
    long_ago(penny, alice.main, alice.pots[0])
    if known:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE automation_rulerun, automation_transfer")

    assert rows_read("last") <= first + 20


@pytest.mark.parametrize(
    ("status", "over"),
    [("sending", True), ("pending", True), ("done", False), ("stranded", False)],
)
def test_what_is_open_has_no_end_and_all_else_has_one(rows_read, status, over):
    rows_read("first")

    with (
        pytest.raises(IntegrityError, match="open_until_settled"),
        transaction.atomic(),
    ):
        Transfer.objects.update(status=status, settled_at=now() if over else None)
