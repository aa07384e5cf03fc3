"""What a worker must not do that slept too long, and what it leaves when it dies."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

import pytest
import time_machine
from django.utils.timezone import now

from accounts.models import Balance
from accounts.services import calling
from automation import services
from automation.models import RuleRun, Transfer
from automation.services import sending

from .conftest import Killed, die, gbp, leg, sweep

pytestmark = pytest.mark.django_db


def test_nothing_is_sent_on_a_reading_that_grew_old_meanwhile(
    alice, topup, run, bank, monkeypatch
):
    later = now() + timedelta(seconds=10)  # within its lease, beyond its reading
    monkeypatch.setattr(sending, "now", lambda: later)

    run(topup)

    transfer = Transfer.objects.get()
    assert (transfer.status, transfer.error_code) == ("pending", "too_late")
    assert not bank.moved(str(transfer.pk))


def test_nothing_is_sent_with_a_new_token_for_which_one_waited_too_long(
    alice, topup, run, bank, monkeypatch
):
    """Whoever sleeps while it renews a token wakes when the bank has forgotten the id."""
    call, refresh = sending.call, calling.refresh

    def call_at_the_end_of_a_token(*asked):
        bank.expire(alice.customer.name)
        return call(*asked)

    with ExitStack() as slept:

        def sleep_over_it(connection):
            refresh(connection)
            slept.enter_context(time_machine.travel(now() + timedelta(minutes=50)))

        monkeypatch.setattr(sending, "call", call_at_the_end_of_a_token)
        monkeypatch.setattr(calling, "refresh", sleep_over_it)
        run(topup)

    transfer = Transfer.objects.get()
    assert (transfer.status, transfer.error_code) == ("pending", "too_late")
    assert not bank.moved(str(transfer.pk))


@pytest.fixture
def emptied(alice):
    """Return a rule that empties a pot, whose reading is good for minutes."""
    alice.fill(alice.pots[0], 80_00)
    return alice.rule(
        "sweep", leg(alice.pots[0], "source", strategy="all"), leg(alice.main, "target")
    )


def test_nothing_is_sent_five_seconds_after_that_was_committed(
    alice, emptied, run, bank, anna, let_time_pass, monkeypatch
):
    """All moves may have been paused since: the worker was held up before it asked."""
    with monkeypatch.context() as patched:
        order = sending.Drive.order

        def held_up(drive):
            services.pause(alice.workspace, user=anna)
            later = drive.row.sent_at + timedelta(seconds=5)
            patched.setattr(sending, "now", lambda: later)
            return order(drive)

        patched.setattr(sending.Drive, "order", held_up)
        run(emptied)

    transfer = Transfer.objects.get()
    assert (transfer.status, transfer.error_code) == ("pending", "too_late")
    assert (transfer.may_have_moved, transfer.first_sent_at) == (False, None)
    assert not bank.moved(str(transfer.pk))
    services.unpause(alice.workspace, user=anna)
    let_time_pass()
    assert services.execute_run(transfer.run_id).status == "succeeded"
    assert len(bank.moved(str(transfer.pk))) == 1


@pytest.mark.parametrize(("seconds", "times"), [(3, 1), (6, 0)])
def test_a_token_that_is_renewed_for_long_lets_no_order_leave_during_a_pause(
    seconds, times, alice, emptied, run, bank, anna, orders, monkeypatch
):
    bank.fault("refuse", code="authentication_failed", **orders)
    refresh = calling.refresh
    with ExitStack() as slept:

        def slowly(connection):
            refresh(connection)
            services.pause(alice.workspace, user=anna)
            later = now() + timedelta(seconds=seconds)
            slept.enter_context(time_machine.travel(later))

        monkeypatch.setattr(calling, "refresh", slowly)
        run(emptied)

    assert len(bank.moved(str(Transfer.objects.get().pk))) == times


def test_a_run_is_given_up_together_with_its_transfers(
    alice, topup, run, bank, let_time_pass, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(sending, "call", die)
        started, _ = services.start_run(topup, "poison", trigger_kind="daily")
        for _ in range(5):
            with pytest.raises(Killed):
                services.execute_run(started.pk)
            let_time_pass()
    with monkeypatch.context() as patched:
        patched.setattr(services.runs, "quarantine", die)
        with pytest.raises(Killed):
            services.execute_run(started.pk)
    assert RuleRun.objects.get().status == "planned"

    services.execute_run(started.pk)

    assert RuleRun.objects.get().status == "quarantined"
    assert Transfer.objects.get().needs_person


def test_no_money_is_said_to_wait_between_pots_where_none_left_the_first(
    alice, run, let_time_pass, monkeypatch
):
    alice.fill(alice.pots[0], 100_00)
    rule = alice.rule(
        "topup",
        leg(alice.pots[0], "source"),
        leg(alice.pots[1], "target", strategy="fixed", amount=gbp(10_00)),
    )
    # Nothing is claimed with the plan, and then every worker dies before the first.
    monkeypatch.setattr(services.planning, "begin", lambda *_: None)
    with monkeypatch.context() as patched:
        patched.setattr(services.runs, "drive", die)
        started, _ = services.start_run(rule, "poison", trigger_kind="daily")
        for _ in range(5):
            with pytest.raises(Killed):
                services.execute_run(started.pk)
            let_time_pass()

    services.execute_run(started.pk)

    assert RuleRun.objects.get().status == "quarantined"
    ends = Transfer.objects.order_by("step").values_list("status", "needs_person")
    assert list(ends) == [("expired", False), ("expired", False)]


def test_a_step_is_not_left_behind_when_the_one_before_it_turns_out_well(
    alice, run, bank, orders, let_time_pass, monkeypatch
):
    """Its worker dies after the first step was found, before the run learnt of it."""
    alice.fill(alice.pots[1], 50_00)
    rule = alice.rule(
        "sweep",
        leg(alice.pots[1], "source", strategy="all"),
        leg(alice.pots[0], "target"),
    )
    bank.fault("act_then_drop", **orders)
    started = run(rule)
    first = Transfer.objects.get(step=0)
    Transfer.objects.filter(pk=first.pk).update(needs_person=True)
    let_time_pass()
    services.execute_run(started.pk)
    assert RuleRun.objects.get().status == "failed"
    with monkeypatch.context() as patched:
        patched.setattr(services.runs, "conclude", die)
        with pytest.raises(Killed):
            services.reread(first.pk)
    assert RuleRun.objects.get().status == "failed"

    for _ in range(3):
        sweep()
        let_time_pass()

    assert RuleRun.objects.get().status == "succeeded"
    assert alice.holds(alice.pots[0]) == 50_00


def test_what_was_reserved_stays_so_when_another_move_is_booked(
    alice, run, bank, orders, let_time_pass
):
    """A move that was sent twice is not booked: a reading between may show it."""
    alice.fill(alice.main, 100_00)
    fixed = {"strategy": "fixed", "amount": gbp(30_00)}
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source"),
        *(leg(pot, "bills", **fixed) for pot in alice.pots[:2]),
    )
    bank.fault("drop_before", **orders)
    started = run(rule)
    let_time_pass()
    alice.sync()

    services.execute_run(started.pk)

    moving = Transfer.objects.sum_leaving("account", "as_of")
    known = Balance.objects.annotate(leaving=moving).get(account=alice.main)
    assert RuleRun.objects.get().status == "succeeded"
    assert known.available - known.leaving <= alice.holds(alice.main) == 40_00


@pytest.mark.parametrize("seconds", [0, 20])
def test_what_the_bank_said_is_a_reading_only_if_it_was_heard_at_once(
    seconds, alice, topup, run, monkeypatch
):
    """Where it lay there for long the amount is entered, and the reading stays as old."""
    send = services.sending.ACTIONS["send"]

    def held_up(drive):
        event = send(drive)
        later = now() + timedelta(seconds=seconds)
        monkeypatch.setattr(services.sending, "now", lambda: later)
        return event

    monkeypatch.setitem(services.sending.ACTIONS, "send", held_up)

    assert run(topup).status == "succeeded"

    balance = Balance.objects.get(account=alice.pots[0])
    assert balance.total == alice.holds(alice.pots[0])
    told = balance.fetched_at == Transfer.objects.get().settled_at
    assert told == (seconds == 0)
