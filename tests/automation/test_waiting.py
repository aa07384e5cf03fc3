"""Who waits for whom, for how long, and who wakes them."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.test import TestCase
from django.utils.timezone import now

from accounts.models import Connection
from automation import services, tasks
from automation.machine import transfer as machine
from automation.models import RuleRun, Transfer
from tests.fixtures_worker import wait_until

from .conftest import Killed, die, gbp, leg, sweep
from .test_meanwhile import somebody_waits

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture
def rules(alice):
    """Two rules that take from Alice's account."""
    alice.fill(alice.main, 100_00)
    return [
        alice.rule(
            "topup",
            leg(alice.main, "source"),
            leg(pot, "target", strategy="fixed", amount=gbp(10_00)),
        )
        for pot in alice.pots[:2]
    ]


@pytest.fixture
def published(monkeypatch):
    """What is put on the queue, without doing it."""
    sent = []
    monkeypatch.setattr(tasks, "publish", lambda task, *a: sent.append((task.name, *a)))
    return sent


def work(run):
    """Let a worker carry out `run` and what it queues."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        tasks.execute_run(str(run.pk))


def hold(bank, rule, run, orders):
    """Leave a transfer out of the account unknown, with its next look due now."""
    bank.fault("drop_before", **orders)
    first = run(rule, "first")
    assert first.transfers.get().status == "unknown"
    Transfer.objects.update(next_attempt_at=now() - SECOND)
    RuleRun.objects.update(next_attempt_at=now() - SECOND)
    return first


def test_a_transfer_behind_another_of_its_account_waits_and_says_so(
    bank, rules, run, orders, moved
):
    hold(bank, rules[0], run, orders)

    second = run(rules[1], "second")

    row = second.transfers.get()
    assert (row.status, row.error_code) == ("pending", machine.BUSY)
    assert "not settled" in row.error
    assert second.status == "running"
    assert second.lease_until is None
    assert now() < row.next_attempt_at <= now() + machine.TURN
    assert list(moved().values()) == [0, 0]


def test_a_run_that_waited_goes_on_as_soon_as_the_account_is_free(
    bank, rules, run, orders, moved
):
    first = hold(bank, rules[0], run, orders)
    second = run(rules[1], "second")

    work(first)

    second.refresh_from_db()
    assert second.status == "succeeded", second.reason
    assert list(moved().values()) == [1, 1]
    assert Transfer.objects.filter(error_code="").count() == 2


def test_a_run_is_not_woken_while_its_account_is_still_held(bank, rules, run, orders):
    first = hold(bank, rules[0], run, orders)
    second = run(rules[1], "second")
    until = second.next_attempt_at

    assert services.wake(first) == services.wake(second) == []

    second.refresh_from_db()
    assert second.next_attempt_at == until


def test_a_run_whose_account_became_free_while_it_sat_down_gets_up_by_itself(
    bank, rules, run, orders, moved, monkeypatch
):
    first = hold(bank, rules[0], run, orders)
    second, _ = services.start_run(rules[1], "second", trigger_kind="manual")
    conclude = services.runs.conclude

    def while_the_other_settles(run, steps, **more):
        if run.pk == second.pk and not Transfer.objects.filter(status="done"):
            services.execute_run(first.pk)  # finds nobody waiting yet
        return conclude(run, steps, **more)

    monkeypatch.setattr(services.runs, "conclude", while_the_other_settles)
    work(second)

    second.refresh_from_db()
    assert second.status == "succeeded", second.reason
    assert list(moved().values()) == [1, 1]


def test_who_comes_to_wait_until_a_decision_is_committed_is_waked_by_it(
    bank, rules, run, orders, published
):
    first = hold(bank, rules[0], run, orders)
    second = run(rules[1], "second")

    with TestCase.captureOnCommitCallbacks(execute=True):
        decided = services.execute_run(first.pk)
        assert decided.waiting is None  # somebody waits
        decided.waiting = []  # had the second come later
        tasks.follow(decided)

    assert published == [("automation.tasks.execute_run", str(second.pk))]


def test_a_transfer_that_waits_for_something_else_is_not_woken(
    bank, rules, run, orders
):
    bank.fault("429", seconds=30, **orders)
    waiting = run(rules[0], "limited")
    other = run(rules[1], "second")

    assert other.status == "succeeded"
    assert services.wake(other) == services.wake(waiting) == []


def test_a_transfer_behind_an_open_one_of_its_own_run_is_not_woken(
    bank, rules, run, orders
):
    bank.fault("429", seconds=30, **orders)
    first = run(rules[0], "limited")
    behind = first.transfers.get()
    behind.pk, behind.move, behind.error_code = uuid4(), 1, machine.BUSY
    behind.save(force_insert=True)
    until = first.next_attempt_at

    assert services.wake(first) == []

    first.refresh_from_db()
    assert first.next_attempt_at == until
    Transfer.objects.filter(move=0).update(status="expired", settled_at=now())
    assert services.wake(first) == [first.pk]


def test_three_rules_on_one_account_take_turns_without_the_sweeper(
    bank, alice, rules, run, orders, moved
):
    third = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[2], "target", strategy="fixed", amount=gbp(10_00)),
    )
    first = hold(bank, rules[0], run, orders)
    others = [run(rules[1], "second"), run(third, "third")]
    assert [other.status for other in others] == ["running", "running"]

    work(first)

    assert set(RuleRun.objects.values_list("status", flat=True)) == {"succeeded"}
    assert list(moved().values()) == [1, 1, 1]


def test_beat_queues_what_may_go_on_and_leaves_what_was_just_started_to_its_message(
    bank, rules, run, orders, published
):
    first = hold(bank, rules[0], run, orders)
    services.start_run(rules[1], "second", trigger_kind="manual")

    tasks.dispatch_due_rules()

    assert published == [("automation.tasks.execute_run", str(first.pk))]


def test_the_sweeper_queues_what_is_due_and_works_none_of_it_itself(
    bank, rules, run, orders, published, moved
):
    first = hold(bank, rules[0], run, orders)
    lost, _ = services.start_run(rules[1], "second", trigger_kind="manual")
    doubtful = Transfer.objects.get()
    Transfer.objects.update(needs_person=True)

    tasks.sweep_unsettled()

    (runs, due), reread = published
    assert (runs, set(due)) == (
        "automation.tasks.execute_runs",
        {str(first.pk), str(lost.pk)},
    )
    assert reread == ("automation.tasks.reread_transfer", str(doubtful.pk))
    assert list(moved().values()) == [0]


@pytest.mark.parametrize(("ago", "found"), [(46, True), (44, False)])
def test_a_dead_workers_run_is_free_when_its_lease_is_over(topup, run, ago, found):
    started, _ = services.start_run(topup, "one", trigger_kind="manual")
    left = now() + machine.LEASE - timedelta(seconds=ago)
    RuleRun.objects.update(status="running", lease_until=left)

    assert (services.due_again() == [started.pk]) is found
    RuleRun.objects.update(queued_at=None)
    assert (services.due_runs() == [started.pk]) is found


def test_a_run_is_held_no_longer_than_the_transfer_that_is_sent(
    alice, topup, monkeypatch
):
    monkeypatch.setitem(services.sending.ACTIONS, "send", die)
    started, _ = services.start_run(topup, "one", trigger_kind="manual")
    with pytest.raises(Killed):
        services.execute_run(started.pk)

    started.refresh_from_db()
    row = Transfer.objects.get()
    assert row.next_attempt_at == row.sent_at + machine.LEASE
    assert started.lease_until <= row.next_attempt_at


def test_a_turn_that_takes_too_long_ends_between_two_transfers_and_goes_on_at_once(
    alice, run, moved, monkeypatch
):
    alice.fill(alice.main, 100_00)
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source"),
        leg(alice.pots[0], "investment", strategy="share", share="0.5"),
        leg(alice.pots[1], "investment", order=1, strategy="equal"),
    )
    clock = iter([0.0, 1.0, services.driving.TURN, services.driving.TURN])
    monkeypatch.setattr(services.driving, "monotonic", lambda: next(clock, 0.0))

    started = run(rule)

    assert (started.status, started.lease_until) == ("running", None)
    assert started.next_attempt_at <= now()
    assert sorted(moved().values()) == [0, 1]
    sweep()
    started.refresh_from_db()
    assert started.status == "succeeded"


def test_a_worker_that_lost_its_run_sends_nothing_more_of_it(
    alice, topup, moved, monkeypatch
):
    renew = services.driving.Renew

    def taken():
        RuleRun.objects.update(attempts=2, lease_until=now())
        return renew()

    monkeypatch.setattr(services.driving, "Renew", taken)
    monkeypatch.setattr("automation.machine.run.FRESH", -SECOND)
    started, _ = services.start_run(topup, "one", trigger_kind="manual")
    services.execute_run(started.pk)

    assert list(moved().values()) == [0]
    assert Transfer.objects.get().status == "pending"


def test_a_due_run_is_queued_once_until_its_message_must_be_lost(rules):
    started, _ = services.start_run(rules[0], "one", trigger_kind="daily")

    assert services.due_runs() == [started.pk]
    assert services.due_runs() == []
    RuleRun.objects.update(queued_at=now() - timedelta(seconds=31))
    assert services.due_runs() == [started.pk]


def test_a_run_that_comes_due_again_is_queued_again_at_once(rules):
    started, _ = services.start_run(rules[0], "one", trigger_kind="daily")
    services.due_runs()

    RuleRun.objects.update(next_attempt_at=now() + timedelta(microseconds=1))
    assert services.due_again() == [started.pk]
    RuleRun.objects.update(next_attempt_at=None, lease_until=now())
    assert services.due_again() == [started.pk]


@pytest.mark.django_db(transaction=True)
def test_who_sits_down_while_another_ends_is_waked_by_one_of_the_two(
    alice, bank, rules, run, orders, published
):
    """The one looks for who waits before the other does, and ends after it has looked."""
    first = hold(bank, rules[0], run, orders)
    second = run(rules[1], "second")
    Transfer.objects.filter(run=second).update(next_attempt_at=now() - SECOND)
    RuleRun.objects.filter(pk=second.pk).update(next_attempt_at=now() - SECOND)

    with transaction.atomic():
        Connection.objects.select_for_update(no_key=True).get(pk=alice.connection.pk)
        ending = beside(lambda: tasks.execute_run(str(first.pk)))
        wait_until(lambda: somebody_waits("mine AS"), "the end")
        sitting = beside(lambda: tasks.execute_run(str(second.pk)))
        wait_until(
            lambda: not sitting.is_alive() or somebody_waits("accounts_connection", 2),
            "who sits down",
        )
    ending.join(30)
    sitting.join(30)

    first.refresh_from_db()
    assert first.status == "succeeded"
    assert published == [("automation.tasks.execute_run", str(second.pk))]
    second.refresh_from_db()
    assert second.next_attempt_at <= now()


def beside(work) -> threading.Thread:
    """Begin `work` in a thread with a connection of its own."""

    def begin() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=begin)
    thread.start()
    return thread
