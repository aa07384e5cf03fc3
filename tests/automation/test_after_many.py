"""A run reads no more for all those that are over, however many there were."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils.timezone import now

from automation import services, tasks
from automation.models import Transfer
from automation.services import facts, funds
from tests.long_ago import analyze, forget, make_many, read_by_now

from .conftest import gbp, leg

pytestmark = pytest.mark.django_db


@pytest.fixture
def penny(alice):
    """Move a penny whenever it is asked."""
    alice.fill(alice.main, 1000_00)
    target = leg(alice.pots[0], "target", strategy="fixed", amount=gbp(1))
    return alice.rule("topup", leg(alice.main, "source"), target)


@pytest.fixture
def rows_read(penny):
    """Carry out a run as a worker does, and return how many rows of both tables it read."""

    def carry_out(key):
        run, _ = services.start_run(penny, key, trigger_kind="manual")
        before = read_by_now()
        tasks.execute_run(str(run.pk))
        run.refresh_from_db()
        assert run.status == "succeeded", run.reason
        return read_by_now() - before

    with connection.cursor() as cursor:  # what a worker has after its first few
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    return carry_out


@pytest.mark.parametrize("known", [True, False])
def test_a_run_reads_no_more_for_all_that_were_before_it(
    penny, alice, rows_read, known
):
    """Whether PostgreSQL has looked at the tables since, or not yet."""
    forget()
    first = rows_read("first")
    make_many(penny, alice.main, alice.pots[0])
    if known:
        analyze()

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


@pytest.fixture
def long_ago(penny, alice):
    """Settle thousands of transfers, all of them read since."""
    make_many(penny, alice.main, alice.pots[0])
    analyze()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # as if there were a million


@pytest.mark.usefixtures("long_ago")
def test_what_left_long_ago_is_not_read_where_the_next_transfer_begins(alice):
    before = read_by_now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT automation_leaving(%s, now())", [alice.main.pk])
        assert cursor.fetchone() == (0,)

    assert read_by_now() - before < 60


@pytest.mark.usefixtures("long_ago")
@pytest.mark.parametrize("ask", ["plan", "send"])
def test_what_left_an_account_long_ago_is_not_read_again(alice, ask):
    ends = alice.main.pk, alice.pots[0].pk
    found = {
        "plan": lambda: facts.held(alice.workspace.pk, ends, (), ()),
        "send": lambda: funds.held(uuid4(), *ends),
    }[ask]()

    told = json.loads(found.explain(analyze=True, format="json"))
    assert passed_over(told[0]["Plan"]) < 60


def passed_over(node):
    """Return how many rows of a plan were read and thrown away."""
    removed = [
        count * node["Actual Loops"]
        for name, count in node.items()
        if name.startswith("Rows Removed by")
    ]
    return sum(removed) + sum(map(passed_over, node.get("Plans", ())))
