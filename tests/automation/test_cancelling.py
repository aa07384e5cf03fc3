"""A person says stop: what was not begun never is, and what was is told as it is."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from automation import services
from automation.machine import run as machine
from automation.models import RuleRun, Transfer
from automation.services import deciding

from .conftest import gbp, leg
from .people import again, demand, its_notice_is_over, steps

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(alice):
    """Move 10.00 into each of three pots, one after the other."""
    alice.fill(alice.main, 100_00)
    return alice.rule(
        "autosort",
        leg(alice.main, "source"),
        *(
            leg(pot, "priority", order=n, strategy="fixed", amount=gbp(10_00))
            for n, pot in enumerate(alice.pots)
        ),
    )


def cancel_while(monkeypatch, what, run_id, user):
    """Let `user` cancel at the moment when a worker is about to do `what`."""
    action = services.sending.ACTIONS[what]

    def then(drive):
        services.cancel_run(run_id(), user=user)
        return action(drive)

    monkeypatch.setitem(services.sending.ACTIONS, what, then)


def started(rule) -> RuleRun:
    return services.start_run(rule, "one", trigger_kind="manual")[0]


@pytest.mark.parametrize("terms", [{"approval": "always"}, {"notice_seconds": 600}])
def test_a_plan_that_waits_is_cancelled_and_never_comes_back(topup, run, anna, terms):
    waiting = run(demand(topup, **terms))

    ended = services.cancel_run(waiting.pk, user=anna)

    assert (ended.status, ended.reason) == ("cancelled", "Cancelled by anna")
    assert ended.finished_at
    assert steps(ended)[-1] == "cancelled"
    assert again(ended).status == "cancelled"
    assert not Transfer.objects.exists()


def test_a_run_that_nobody_took_yet_is_cancelled(topup, anna):
    due = started(topup)
    services.cancel_run(due.pk, user=anna)

    assert again(due).status == "cancelled"
    assert not Transfer.objects.exists()


def test_a_cancel_while_it_is_planned_leaves_no_transfer(topup, anna, monkeypatch):
    due = started(topup)
    decide = services.planning.decide

    def then_cancel(*args, **more):
        decided = decide(*args, **more)
        services.cancel_run(due.pk, user=anna)
        return decided

    monkeypatch.setattr(services.planning, "decide", then_cancel)
    services.execute_run(due.pk)

    due.refresh_from_db()
    assert due.status == "cancelled"
    assert not Transfer.objects.exists()


def test_a_cancel_before_the_first_is_sent_stops_it_all(
    alice, three, run, anna, moved, monkeypatch
):
    due = started(three)
    monkeypatch.setattr(services.planning, "begin", lambda *_: None)
    cancel_while(monkeypatch, "check", lambda: due.pk, anna)

    services.execute_run(due.pk)

    due.refresh_from_db()
    assert due.status == "cancelled", due.reason
    assert list(moved().values()) == [0, 0, 0]
    assert set(Transfer.objects.values_list("status", "error_code")) == {
        ("expired", "cancelled")
    }
    assert alice.holds(alice.main) == 100_00


def test_a_cancel_while_the_first_is_sent_tells_what_was_moved(
    three, anna, moved, monkeypatch, let_time_pass
):
    due = started(three)
    cancel_while(monkeypatch, "send", lambda: due.pk, anna)

    services.execute_run(due.pk)
    let_time_pass()

    ended = again(due)
    assert ended.status == "partial"
    assert ended.reason == "1 of 3 moves were made; 2 were cancelled"
    assert sorted(moved().values()) == [0, 0, 1]


def test_a_cancel_while_nobody_knows_is_finished_by_asking(
    bank, three, run, anna, moved, let_time_pass, orders
):
    bank.fault("act_then_drop", **orders)
    unclear = run(three)
    assert unclear.status == "running"

    stopped = services.cancel_run(unclear.pk, user=anna)
    assert stopped.status == "running"
    let_time_pass()

    ended = again(stopped)
    assert ended.status == "partial"
    assert sorted(moved().values()) == [0, 0, 1]
    with pytest.raises(deciding.Ended):
        services.cancel_run(ended.pk, user=anna)


def test_a_move_over_two_calls_that_was_begun_is_finished(
    bank, alice, run, anna, let_time_pass, orders
):
    alice.fill(alice.pots[0], 80_00)
    rule = alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.pots[1], "target"),
    )
    bank.fault("act_then_drop", **orders)
    begun = run(rule)

    services.cancel_run(begun.pk, user=anna)
    let_time_pass()

    assert again(begun).status == "succeeded"
    assert alice.holds(alice.pots[1]) == 80_00


def test_cancelling_twice_is_cancelling_once(topup, run, anna):
    waiting = run(demand(topup, approval="always"))
    first = services.cancel_run(waiting.pk, user=anna)
    second = services.cancel_run(waiting.pk, user=User.objects.create_user("ben"))

    assert (second.reason, second.trace) == (first.reason, first.trace)
    with pytest.raises(deciding.NotAwaited):
        services.approve_run(waiting.pk, user=anna)


def test_a_run_that_ended_is_not_cancelled(topup, run, anna):
    done = run(topup)

    with pytest.raises(deciding.Ended):
        services.cancel_run(done.pk, user=anna)
    done.refresh_from_db()
    assert done.status == "succeeded"


def test_a_run_that_was_given_up_before_it_had_a_plan_can_be_cancelled(topup, anna):
    poison = started(topup)
    RuleRun.objects.update(attempts=machine.ATTEMPTS)
    assert again(poison).status == "quarantined"

    assert services.cancel_run(poison.pk, user=anna).status == "cancelled"


def test_cancelling_what_was_given_up_tells_no_lie(
    bank, three, run, anna, orders, let_time_pass
):
    bank.fault("act_then_drop", **orders)
    begun = run(three)
    RuleRun.objects.update(attempts=machine.ATTEMPTS)
    let_time_pass()
    assert again(begun).status == "quarantined"

    ended = services.cancel_run(begun.pk, user=anna)

    assert ended.status == "failed"
    assert "1 wait for a person" in ended.reason
    assert Transfer.objects.get(needs_person=True).status == "unknown"


def test_a_notice_that_is_over_can_still_be_cancelled_before_it_is_taken(
    topup, run, anna
):
    told = run(demand(topup, notice_seconds=600))
    its_notice_is_over(told)
    services.cancel_run(told.pk, user=anna)

    assert again(told).status == "cancelled"
