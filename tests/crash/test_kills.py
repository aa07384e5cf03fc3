"""Real worker processes, `kill -9`, and the bank's ledger as the judge."""

from __future__ import annotations

import pytest

from automation import services
from automation.models import RuleRun, Transfer
from tests.automation.conftest import gbp, leg

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def payday(alice):
    """Alice's rule: three legs out of one salary."""
    alice.fill(alice.main, 1000_00)
    return alice.rule(
        "autosort",
        leg(alice.main, "source", keep=gbp(100_00)),
        leg(alice.pots[0], "priority", strategy="fixed", amount=gbp(300_00)),
        leg(alice.pots[1], "investment", order=1, strategy="share", share="0.7"),
        leg(alice.pots[2], "investment", order=2, strategy="equal"),
    )


def kill_while_held(gateway, worker, where, orders, *arguments):
    """Kill a worker with -9 while the gateway holds its order before or after the bank."""
    gateway.held.clear()
    gateway.hold = (orders["method"], where)
    process = worker(*arguments)
    assert gateway.held.wait(45), "the worker never asked the bank"
    process.kill()
    process.wait(10)


@pytest.mark.parametrize(("where", "kills"), [("before", 1), ("after", 3)])
def test_a_worker_killed_while_it_sends_moves_each_leg_once(
    where, kills, gateway, worker, orders, alice, payday, moved, let_time_pass
):
    run, _ = services.start_run(payday, "payday:1", trigger_kind="payday")
    for _ in range(kills):
        kill_while_held(gateway, worker, where, orders, str(run.pk))
        assert Transfer.objects.filter(status="sending").count() == 1
        let_time_pass()

    worker(str(run.pk)).wait(45)

    assert RuleRun.objects.get().status == "succeeded", RuleRun.objects.get().reason
    assert sorted(moved().values()) == [1, 1, 1]
    assert [alice.holds(pot) for pot in alice.pots] == [300_00, 420_00, 180_00]
    assert alice.holds(alice.main) == 100_00


def test_a_worker_killed_while_it_reads_leaves_no_trace(
    gateway, worker, alice, payday, moved, let_time_pass
):
    run, _ = services.start_run(payday, "payday:1", trigger_kind="payday")
    kill_while_held(gateway, worker, "after", {"method": "GET"}, str(run.pk))
    assert not Transfer.objects.exists()
    let_time_pass()

    worker().wait(45)

    assert RuleRun.objects.get().status == "succeeded"
    assert sorted(moved().values()) == [1, 1, 1]


def test_five_processes_carry_out_one_run_once(worker, alice, payday, moved):
    run, _ = services.start_run(payday, "payday:1", trigger_kind="payday")

    assert worker(str(run.pk), "5").wait(60) == 0

    services.execute_run(run.pk)
    assert RuleRun.objects.get().status == "succeeded"
    assert sorted(moved().values()) == [1, 1, 1]
