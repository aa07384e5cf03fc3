"""What others do while a run is read for, written or let go."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils.timezone import now

from accounts.models import SyncRun, Workspace
from automation import machine, services
from automation.machine import events
from automation.models import Rule, RuleRun, Transfer
from automation.services import deciding, sending
from automation.services.locks import hold

from .conftest import gbp, leg

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["along", "apart"])
def meanwhile(request, while_read):
    """Let something happen while the accounts of a run are read.

    Its plan is written along with what was read, or apart from it.
    """
    return partial(while_read, apart=request.param == "apart")


def test_a_rule_that_is_switched_off_while_it_is_read_for_moves_nothing(
    topup, run, meanwhile, let_time_pass, moved
):
    meanwhile(lambda: Rule.objects.update(enabled=False))

    kept = run(topup)

    assert (kept.status, moved()) == ("due", {})
    assert "changed" in kept.reason
    let_time_pass()
    assert services.execute_run(kept.pk).status == "skipped_disabled"


def test_a_rule_that_is_rewritten_while_it_is_read_for_moves_what_it_says_now(
    alice, topup, run, meanwhile, let_time_pass, monkeypatch
):
    target = leg(alice.pots[0], "target", strategy="to_target", target=gbp(50_00))
    data = {"name": "topup", "kind": "topup"} | {
        "legs": [leg(alice.main, "source"), target]
    }
    meanwhile(lambda: services.write_rule(alice.workspace, data, rule=topup))

    kept = run(topup)
    assert kept.status == "due"
    monkeypatch.undo()
    let_time_pass()
    services.execute_run(kept.pk)

    assert alice.holds(alice.pots[0]) == 50_00


def test_a_success_of_another_run_while_it_is_read_for_begins_the_cooldown(
    topup, run, meanwhile, let_time_pass, moved
):
    Rule.objects.update(cooldown_seconds=3600)
    meanwhile(lambda: Rule.objects.update(last_success_at=now()))

    kept = run(topup, kind="daily")

    assert (kept.status, moved()) == ("due", {})
    let_time_pass()
    assert services.execute_run(kept.pk).status == "skipped_not_due"


def test_a_cancelled_run_and_the_end_of_a_pause_never_wait_in_a_circle(
    topup, run, workspace, anna
):
    kept = run(topup)
    held_by_the_pause(kept, workspace)
    failures: list[DatabaseError] = []

    def go_on():
        try:
            services.unpause(workspace, user=anna)
        except DatabaseError as error:
            failures.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=go_on)
    with transaction.atomic():
        deciding.locked(kept.pk)  # as who cancels does first
        thread.start()
        while thread.is_alive() and not somebody_waits():
            pass
        Transfer.objects.update(next_attempt_at=None)
    thread.join(10)

    assert failures == []
    assert RuleRun.objects.get().status == "running"


def held_by_the_pause(run: RuleRun, workspace) -> None:
    later = now() + timedelta(hours=1)
    RuleRun.objects.update(status="running", finished_at=None, next_attempt_at=later)
    Transfer.objects.update(
        status="pending", error_code="paused", settled_at=None, next_attempt_at=later
    )
    Workspace.objects.filter(pk=workspace.pk).update(paused_at=now())


def somebody_waits(words: str = "", number: int = 1) -> bool:
    """Say whether so many connections wait for a lock, with `words` in what they ask."""
    with connection.cursor() as cursor:
        # Within a transaction the first answer would be told for ever.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock' "
            "AND query LIKE %s",
            [f"%{words}%"],
        )
        return cursor.fetchone()[0] >= number


def test_a_plan_that_is_written_anew_beside_a_busy_account_keeps_its_moves(
    alice, bank, run, orders
):
    alice.fill(alice.main, 100_00)
    rules = [
        alice.rule(
            "topup",
            leg(alice.main, "source"),
            leg(pot, "target", strategy="fixed", amount=gbp(10_00)),
        )
        for pot in alice.pots[:2]
    ]
    bank.fault("drop_before", **orders)
    run(rules[0])
    readings = SyncRun.objects.filter(kind="pre_automation", status="ok")
    before = readings.count()

    second = run(rules[1])

    assert second.transfers.get().error_code == "account_busy"
    assert readings.count() == before + 1  # it was to be written along with the plan
    kept = RuleRun.objects.get(pk=second.pk)
    assert [move["money"]["minor"] for move in kept.moves] == ["1000"]


@pytest.fixture
def while_held(alice):
    """Do work that must wait for whoever plans with alice's accounts just now.

    Tells how her transfer stood until then.
    """

    def do(work) -> str:
        thread = threading.Thread(target=alone, args=[work])
        with transaction.atomic():
            hold([alice.connection.pk])
            thread.start()
            while thread.is_alive() and not somebody_waits():
                pass
            assert thread.is_alive()
            status = Transfer.objects.get().status
        thread.join(10)
        return status

    return do


def alone(work) -> None:
    try:
        work()
    finally:
        connections.close_all()


def test_what_is_in_doubt_is_left_to_a_person_only_while_nobody_plans(
    bank, topup, run, orders, while_held
):
    """Else a plan could rest on what was there before, and find the account free."""
    bank.fault("drop_before", **orders)
    run(topup)
    Transfer.objects.update(status="sending")
    row = Transfer.objects.select_related("run__rule", "source__connection").get()
    turn = sending.Drive(row.run, row, [row])
    contradicted = events.Answered(machine.Evidence("tx_1", amount=row.amount + 1))

    assert while_held(lambda: turn.go_on(contradicted)) == "sending"

    row.refresh_from_db()
    assert (row.status, row.error_code) == ("unknown", "contradiction")


def test_a_run_is_given_up_only_while_nobody_plans(
    bank, topup, run, orders, while_held
):
    bank.fault("drop_before", **orders)
    kept = run(topup)
    RuleRun.objects.update(attempts=5, next_attempt_at=None, lease_until=None)

    assert while_held(lambda: services.execute_run(kept.pk)) == "unknown"

    assert Transfer.objects.get().error_code == "quarantined"
