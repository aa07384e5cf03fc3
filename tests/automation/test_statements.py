"""What a run costs the database, besides the reading of the bank."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from automation import services, tasks

pytestmark = pytest.mark.django_db
FRAME = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
FOR_ONE = 8  # statements of a run that makes one transfer
FOR_ANOTHER = 5  # for each further transfer of the same run


@pytest.fixture
def statements(monkeypatch):
    """Carry out a run as a worker does, and return its statements without the sync's."""
    read = services.planning.sync
    spans = []

    def outside(*args):
        begun = len(connection.queries_log)
        done = read(*args)
        spans.append((begun, len(connection.queries_log)))
        return done

    monkeypatch.setattr(services.planning, "sync", outside)

    def carry_out(run):
        spans.clear()
        with CaptureQueriesContext(connection) as captured:
            before = captured.initial_queries
            tasks.execute_run(str(run.pk))
        theirs = {i - before for span in spans for i in range(*span)}
        ours = [q for i, q in enumerate(captured.captured_queries) if i not in theirs]
        return [q["sql"] for q in ours if not q["sql"].startswith(FRAME)]

    return carry_out


def started(rule, key):
    return services.start_run(rule, key, trigger_kind="manual")[0]


def test_a_run_of_one_transfer_keeps_to_its_statements(topup, statements):
    run = started(topup, "one")

    assert len(statements(run)) <= FOR_ONE
    run.refresh_from_db()
    assert run.status == "succeeded"


def test_further_transfers_cost_no_more_than_their_own_steps(alice, statements):
    alice.fill(alice.main, 900_00)
    legs = [
        {
            "account": str(pot.pk),
            "role": "investment",
            "order": order,
            "strategy": "equal",
        }
        for order, pot in enumerate(alice.pots)
    ]
    rule = alice.rule(
        "autosort", {"account": str(alice.main.pk), "role": "source"}, *legs
    )
    run = started(rule, "three")

    assert len(statements(run)) <= FOR_ONE + 2 * FOR_ANOTHER
    assert run.transfers.filter(status="done").count() == 3


def test_a_repeated_message_costs_next_to_nothing(topup, statements):
    run = started(topup, "one")
    statements(run)

    assert len(statements(run)) <= 3


def test_what_runs_ask_again_and_again_is_planned_once(topup, statements):
    for number in range(8):
        statements(started(topup, f"run {number}"))

    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        known = " ".join(sql for (sql,) in cursor.fetchall())
    assert 'UPDATE "automation_rulerun"' in known
    assert 'FROM "automation_ruleleg"' in known
