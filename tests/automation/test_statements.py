"""What a run costs the database, besides the reading of the bank."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from automation import services, tasks

from .conftest import leg

pytestmark = pytest.mark.django_db
FRAME = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
FOR_ONE = 5  # statements of a run that makes one transfer
FOR_ANOTHER = 1  # for each further transfer, whatever account it leaves
BY_ITSELF = 5  # for each that is claimed by itself


@pytest.fixture
def statements(monkeypatch):
    """Carry out a run as a worker does, and return its statements without the sync's."""
    read = services.planning.sync
    spans = []

    def outside(*args, also=None):
        begun = len(connection.queries_log)

        def ours():
            nonlocal begun
            spans.append((begun, len(connection.queries_log)))
            done = also()
            begun = len(connection.queries_log)
            return done

        done = read(*args, also=also and ours)
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


def test_who_waits_is_asked_only_where_somebody_does(topup, statements):
    waits = started(topup, "waits")
    later = now() + timedelta(hours=1)
    type(waits).objects.update(next_attempt_at=later)

    assert len(statements(started(topup, "one"))) == FOR_ONE + 1
    type(waits).objects.update(next_attempt_at=None, status="missed")
    assert len(statements(started(topup, "two"))) <= FOR_ONE


@pytest.fixture
def into_pots(alice):
    """Return a rule that makes three transfers out of one account."""
    alice.fill(alice.main, 900_00)
    pots = [
        leg(pot, "investment", order=order, strategy="equal")
        for order, pot in enumerate(alice.pots)
    ]
    return alice.rule("autosort", leg(alice.main, "source"), *pots)


@pytest.fixture
def out_of_pots(alice):
    """Return a rule that makes three transfers, each out of another account."""
    for pot in alice.pots:
        alice.fill(pot, 100_00)
    pots = [
        leg(pot, "source", order=order, strategy="all")
        for order, pot in enumerate(alice.pots)
    ]
    return alice.rule("sweep", *pots, leg(alice.main, "target"))


@pytest.fixture
def from_pot_to_pots(alice):
    """Return a rule of two moves, each of two steps: out of a pot, and into another."""
    first, *others = alice.pots
    alice.fill(first, 100_00)
    pots = [
        leg(pot, "investment", order=order, strategy="equal")
        for order, pot in enumerate(others)
    ]
    return alice.rule("autosort", leg(first, "source"), *pots)


RULES = {"into_pots": 3, "out_of_pots": 3, "from_pot_to_pots": 4}


@pytest.mark.parametrize("rule", RULES)
def test_further_transfers_cost_one_statement_each(rule, request, statements):
    run = started(request.getfixturevalue(rule), "several")

    assert len(statements(run)) <= FOR_ONE + (RULES[rule] - 1) * FOR_ANOTHER
    assert run.transfers.filter(status="done").count() == RULES[rule]


def test_a_run_that_went_on_alone_hands_its_account_on_as_well(
    into_pots, statements, monkeypatch
):
    monkeypatch.setattr(services.driving, "TURN", 0.0)
    run = started(into_pots, "three")
    statements(run)  # the turn ends after the first
    assert run.transfers.filter(status="done").count() == 1
    monkeypatch.setattr(services.driving, "TURN", 30.0)

    # It is taken up, its second transfer is claimed, and hands on to the third.
    assert len(statements(run)) <= 3 + BY_ITSELF + FOR_ANOTHER
    assert run.transfers.filter(status="done").count() == 3


def test_a_run_that_went_on_alone_hands_other_accounts_on_as_well(
    from_pot_to_pots, statements, monkeypatch
):
    """It reads each account once, and all its transfers know what that holds by then."""
    monkeypatch.setattr(services.driving, "TURN", 0.0)
    run = started(from_pot_to_pots, "four")
    statements(run)
    assert run.transfers.filter(status="done").count() == 1
    monkeypatch.setattr(services.driving, "TURN", 30.0)

    assert len(statements(run)) <= 3 + 2 * BY_ITSELF + FOR_ANOTHER
    assert run.transfers.filter(status="done").count() == 4


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
