"""The next transfer of a run begins as one ends, if nothing came in between."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts import services as accounts
from accounts.models import Balance, SyncRun
from automation import services
from automation.models import Transfer

from .conftest import Killed, die, gbp, leg
from .people import again
from .test_pausing import OFF, STOPS, held_by

pytestmark = pytest.mark.django_db


def test_the_second_begins_as_the_first_ends(alice, two, run, handed_on, moved):
    assert run(two).status == "succeeded"

    first, second = Transfer.objects.order_by("move")
    assert handed_on == [True]
    assert list(moved().values()) == [1, 1]
    assert (second.attempts, second.held_before) == (1, 7_00)
    assert second.first_sent_at > first.settled_at
    balance = Balance.objects.get(account=alice.main)
    assert balance.available == alice.holds(alice.main) == 75_00


def balance_of(account):
    return Balance.objects.filter(account=account)


def read_again(alice):
    accounts.sync([alice.connection], SyncRun.Kind.MANUAL)


def fill_second(alice):
    alice.fill(alice.pots[1], 8_00)
    balance_of(alice.pots[1]).update(total=8_00)


def test_what_was_begun_within_a_turn_is_sent_though_the_turn_is_over(
    two, run, handed_on, monkeypatch
):
    clock = iter([0.0, 1.0, 1.0])
    late = services.driving.TURN
    monkeypatch.setattr(services.driving, "monotonic", lambda: next(clock, late))

    assert run(two).status == "succeeded"

    assert handed_on == [True]


MEANWHILE = {
    "the bank was read": read_again,
    "the source is confirmed": lambda a: balance_of(a.main).update(fetched_at=now()),
    "the source holds less": lambda a: balance_of(a.main).update(available=89_00),
    "the source is in doubt": lambda a: balance_of(a.main).update(distrusted=True),
    "the source is unknown": lambda a: balance_of(a.main).delete(),
    "the target holds more": fill_second,
    "the target is unknown": lambda a: balance_of(a.pots[1]).delete(),
}


@pytest.mark.parametrize("what", MEANWHILE)
def test_it_is_claimed_by_itself_where_something_is_not_as_it_was_read(
    what, alice, two, run, handed_on, as_first_arrives, moved
):
    as_first_arrives(lambda: MEANWHILE[what](alice))

    assert run(two).status == "succeeded"

    assert handed_on == [False]
    assert list(moved().values()) == [1, 1]
    assert alice.holds(alice.main) == 75_00


def test_nothing_begins_where_somebody_was_faster_with_the_first(
    two, run, handed_on, as_first_arrives, moved
):
    taken = now() + timedelta(seconds=40)
    as_first_arrives(
        lambda: Transfer.objects.filter(move=0).update(
            attempts=2, next_attempt_at=taken
        )
    )

    assert run(two).status == "running"

    assert handed_on == [False]
    first, second = Transfer.objects.order_by("move")
    assert (first.status, first.attempts) == ("sending", 2)
    assert (second.status, second.attempts) == ("pending", 0)
    assert second.held_before is None
    assert sorted(moved().values()) == [0, 1]


def test_what_was_cancelled_meanwhile_is_not_begun(
    two, run, anna, handed_on, as_first_arrives, moved
):
    started, _ = services.start_run(two, "one", trigger_kind="manual")
    as_first_arrives(lambda: services.cancel_run(started.pk, user=anna))

    services.execute_run(started.pk)

    assert handed_on == [False]
    assert sorted(moved().values()) == [0, 1]
    assert Transfer.objects.get(move=1).error_code == "cancelled"


def test_what_ends_in_doubt_hands_nothing_on(two, run, handed_on, bank, orders, moved):
    bank.fault("act_then_drop", **orders)

    assert run(two).status == "running"

    assert handed_on == []
    assert Transfer.objects.get(move=1).status == "pending"
    assert sorted(moved().values()) == [0, 1]


# -- out of another account


def test_a_second_step_begins_as_the_first_ends(
    alice, between_pots, run, handed_on, moved
):
    assert run(between_pots).status == "succeeded"

    second = Transfer.objects.get(step=1)
    assert handed_on == [True]
    assert (second.attempts, second.held_before) == (1, 7_00)
    assert list(moved().values()) == [1, 1]
    held = [balance_of(a).get().total for a in (alice.main, *alice.pots[:2])]
    assert held == [5_00, 0, 87_00]


def test_each_of_several_sources_begins_as_the_one_before_ends(
    alice, run, handed_on, moved
):
    for pot in alice.pots:
        alice.fill(pot, 20_00)
    pots = [leg(p, "source", order=n, strategy="all") for n, p in enumerate(alice.pots)]

    run(alice.rule("sweep", *pots, leg(alice.main, "target")))

    assert handed_on == [True, True]
    assert list(moved().values()) == [1, 1, 1]
    assert alice.holds(alice.main) == balance_of(alice.main).get().total


def test_a_second_step_is_claimed_by_itself_where_a_reading_came_in_between(
    alice, between_pots, run, handed_on, as_first_arrives, moved
):
    def earn():
        alice.fill(alice.pots[1], 9_00)
        read_again(alice)

    as_first_arrives(earn)

    assert run(between_pots).status == "succeeded"

    assert handed_on == [False]
    assert Transfer.objects.get(step=1).held_before == 9_00
    assert list(moved().values()) == [1, 1]


def test_the_first_ends_though_the_second_finds_its_account_taken(
    alice, bank, between_pots, run, handed_on, moved, orders
):
    alice.fill(alice.main, 200_00)
    other = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[2], "target", strategy="fixed", amount=gbp(10_00)),
    )
    bank.fault("drop_before", **orders)
    run(other)

    waits = run(between_pots)

    assert (waits.status, handed_on) == ("running", [False])
    first, second = waits.transfers.order_by("step")
    assert (first.status, balance_of(alice.pots[0]).get().total) == ("done", 0)
    assert (second.status, second.attempts) == ("pending", 0)
    assert (second.error_code, second.held_before) == ("account_busy", None)


@pytest.mark.parametrize("stop", STOPS)
def test_a_second_step_that_was_stopped_meanwhile_does_not_begin(
    stop, alice, anna, between_pots, run, handed_on, as_first_arrives, moved
):
    as_first_arrives(lambda: STOPS[stop](alice, anna))

    assert run(between_pots).status == "running"

    assert handed_on == [False]
    assert held_by(stop, Transfer.objects.get(step=1))


def test_a_second_step_is_made_though_the_rule_was_switched_off_meanwhile(
    alice, anna, between_pots, run, handed_on, as_first_arrives
):
    as_first_arrives(lambda: OFF["switched off"](between_pots, anna))

    assert run(between_pots).status == "succeeded"

    assert handed_on == [False]
    assert alice.holds(alice.pots[1]) == 87_00


def test_money_that_a_reading_may_show_already_is_not_added_to_it(
    alice, between_pots, run, handed_on, as_first_arrives
):
    """The bank was asked before the first step, and answered after it."""
    as_first_arrives(
        lambda: balance_of(alice.main).update(
            total=85_00, available=85_00, fetched_at=now()
        )
    )

    assert run(between_pots).status == "succeeded"

    assert handed_on == [False]
    assert balance_of(alice.main).get().total == alice.holds(alice.main) == 5_00


# -- either way


@pytest.mark.parametrize(("rule", "spent"), [("two", 80_00), ("between_pots", 60_00)])
def test_what_cannot_be_paid_any_more_does_not_begin(
    rule, spent, request, alice, run, handed_on, as_first_arrives, moved
):
    def spend():
        alice.bank.spend(alice.main.external_id, spent)
        read_again(alice)

    rule = request.getfixturevalue(rule)
    as_first_arrives(spend)

    assert run(rule).status == "running"

    assert handed_on == [False]
    assert sorted(moved().values()) == [0, 1]
    waits = Transfer.objects.get(settled_at=None)
    assert (waits.status, waits.error_code) == ("pending", "insufficient_funds")


@pytest.mark.parametrize("rule", ["two", "between_pots"])
def test_a_worker_that_dies_in_between_leaves_nothing_undone_or_done_twice(
    rule,
    request,
    run,
    handed_on,
    as_first_arrives,
    moved,
    let_time_pass,
    monkeypatch,
):
    """The next says that it is being sent, and nobody knows whether it was."""
    rule = request.getfixturevalue(rule)
    as_first_arrives(lambda: monkeypatch.setitem(services.sending.ACTIONS, "send", die))
    with pytest.raises(Killed):
        run(rule)
    assert handed_on == [True]
    second = Transfer.objects.get(settled_at=None)
    assert (second.status, second.sent_at is None) == ("sending", False)
    monkeypatch.undo()
    let_time_pass()

    assert again(second.run).status == "succeeded"

    assert list(moved().values()) == [1, 1]
