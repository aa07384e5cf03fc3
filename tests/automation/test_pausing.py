"""What a person stops stays where it is: a workspace, an account, everything."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.utils.timezone import now

from accounts import services as accounts
from accounts.models import SyncRun
from automation import services
from automation.models import RuleRun, Transfer
from automation.services import switches

from .conftest import gbp, leg
from .people import again, demand

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def two(alice):
    alice.fill(alice.main, 100_00)
    return alice.rule(
        "autosort",
        leg(alice.main, "source"),
        leg(alice.pots[0], "priority", strategy="fixed", amount=gbp(10_00)),
        leg(alice.pots[1], "priority", order=1, strategy="fixed", amount=gbp(10_00)),
    )


def unpaused(workspace, user) -> list:
    return services.unpause(workspace, user=user)


def test_nothing_is_begun_while_all_moves_are_paused(workspace, topup, run, anna):
    services.pause(workspace, user=anna)

    waiting = run(topup, kind="daily")

    assert (waiting.status, waiting.attempts) == ("due", 0)
    assert "paused since" in waiting.reason
    assert not Transfer.objects.exists()


def test_what_waited_goes_on_when_the_pause_ends(workspace, topup, run, anna, moved):
    services.pause(workspace, user=anna)
    waiting = run(topup, kind="daily")

    assert unpaused(workspace, anna) == [waiting.pk]
    assert again(waiting).status == "succeeded"
    assert unpaused(workspace, anna) == []
    assert list(moved().values()) == [1]


def test_a_pause_that_lasts_too_long_is_missed_and_says_so(workspace, topup, run, anna):
    services.pause(workspace, user=anna)
    waiting = run(topup, kind="daily")
    RuleRun.objects.update(scheduled_for=now() - 7 * HOUR)
    unpaused(workspace, anna)

    ended = again(waiting)

    assert ended.status == "missed"
    assert "paused since" in ended.reason


def test_pausing_twice_keeps_the_first_moment(workspace, anna):
    first = services.pause(workspace, user=anna).paused_at

    assert services.pause(workspace, user=anna).paused_at == first


def stop_while(monkeypatch, what, stop):
    """Stop something when a worker has just done `what`, before it sends."""
    action = services.sending.ACTIONS[what]

    def then(drive):
        event = action(drive)
        stop()
        return event

    monkeypatch.setitem(services.sending.ACTIONS, what, then)


@pytest.fixture(params=["handed on", "claimed"])
def before_second(request, alice, monkeypatch):
    """Return what is done just before the second transfer is committed to be sent.

    It begins as the first one ends, or is claimed by itself: as where the bank was read
    while the first one was on its way.
    """
    if request.param == "claimed":
        kind = SyncRun.Kind.MANUAL
        stop_while(monkeypatch, "send", lambda: accounts.sync([alice.connection], kind))
    return "send" if request.param == "handed on" else "check"


STOPS = {
    "paused": lambda alice, anna: services.pause(alice.workspace, user=anna),
    "dry_run": lambda alice, anna: type(alice.workspace).objects.update(dry_run=True),
    "source": lambda alice, anna: accounts.protect(alice.main, user=anna),
    "target": lambda alice, anna: accounts.protect(alice.pots[1], user=anna),
}


@pytest.mark.parametrize("stop", STOPS)
def test_what_is_stopped_between_two_transfers_is_not_sent(
    stop, alice, two, run, anna, moved, before_second, monkeypatch
):
    """The second may be checked already: only the commit to send can stop it."""
    stop_while(monkeypatch, before_second, lambda: STOPS[stop](alice, anna))

    held = run(two)

    assert held.status == "running"
    assert sorted(moved().values()) == [0, 1]
    assert held_by(stop, Transfer.objects.get(move=1))


def held_by(stop, row) -> bool:
    """Say whether `row` was never sent, and tells that `stop` is why."""
    code = stop if stop in ("paused", "dry_run") else "protected"
    unsent = (row.status, row.first_sent_at) == ("pending", None)
    return unsent and row.error_code == code and row.error != ""


OFF = {
    "archived": lambda rule, anna: services.archive_rule(rule, user=anna),
    "switched off": lambda rule, anna: services.write_rule(
        rule.workspace, services.rule_data(rule) | {"enabled": False}, rule=rule
    ),
}


@pytest.mark.parametrize("off", OFF)
def test_nothing_more_is_begun_of_a_rule_that_is_off(
    off, two, run, anna, moved, before_second, monkeypatch, let_time_pass
):
    stop_while(monkeypatch, before_second, lambda: OFF[off](two, anna))

    held = run(two)
    let_time_pass()
    held = again(held)

    assert held.status == "running"
    assert sorted(moved().values()) == [0, 1]
    row = Transfer.objects.get(move=1)
    assert (row.status, row.first_sent_at) == ("pending", None)
    assert row.error_code == "rule_off"


def test_what_was_begun_between_two_pots_is_ended_though_the_rule_is_off(
    alice, run, anna, monkeypatch
):
    alice.fill(alice.pots[0], 80_00)
    rule = alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.pots[1], "target"),
    )
    stop_while(monkeypatch, "send", lambda: OFF["archived"](rule, anna))

    assert run(rule).status == "succeeded"
    assert alice.holds(alice.pots[1]) == 80_00


@pytest.mark.parametrize(
    ("stop", "ends"),
    [
        ("paused", "running"),
        ("dry_run", "running"),
        ("source", "skipped_protected"),
        ("target", "skipped_protected"),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_a_plan_is_not_begun_when_it_was_stopped_while_the_bank_was_read(
    stop, ends, apart, alice, run, anna, moved, while_read
):
    """The first transfer is claimed where the plan is written: that is guarded too."""
    alice.fill(alice.main, 100_00)
    rule = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[1], "target", strategy="fixed", amount=gbp(10_00)),
    )
    while_read(lambda: STOPS[stop](alice, anna), apart=apart)

    assert run(rule).status == ends
    assert set(moved().values()) <= {0}


def test_what_was_held_goes_on_by_itself_after_the_pause(
    alice, workspace, two, run, anna, moved, before_second, monkeypatch
):
    stop_while(monkeypatch, before_second, lambda: services.pause(workspace, user=anna))
    held = run(two)
    monkeypatch.undo()

    assert unpaused(workspace, anna) == [held.pk]
    assert again(held).status == "succeeded"
    assert sorted(moved().values()) == [1, 1]


def test_what_was_held_for_too_long_expires_with_the_plan(
    alice, workspace, two, run, anna, moved, before_second, monkeypatch, let_time_pass
):
    stop_while(monkeypatch, before_second, lambda: services.pause(workspace, user=anna))
    held = run(two)
    Transfer.objects.update(expires_at=now())
    let_time_pass()

    ended = again(held)

    assert ended.status == "partial"
    assert Transfer.objects.get(move=1).error_code == "plan_expired"
    assert sorted(moved().values()) == [0, 1]


def test_the_bank_is_asked_for_nothing_while_a_transfer_is_held(
    alice, workspace, two, run, anna, before_second, monkeypatch, let_time_pass
):
    stop_while(monkeypatch, before_second, lambda: services.pause(workspace, user=anna))
    held = run(two)
    syncs = alice.connection.sync_runs.count()
    for _ in range(3):
        let_time_pass()
        assert again(held).status == "running"

    assert alice.connection.sync_runs.count() == syncs
    assert Transfer.objects.get(move=1).attempts == 1


def test_what_is_unclear_is_asked_for_during_a_pause_but_not_sent_again(
    bank, workspace, topup, run, anna, moved, orders, let_time_pass
):
    bank.fault("drop_before", **orders)
    unclear = run(topup)
    services.pause(workspace, user=anna)
    let_time_pass()

    held = again(unclear)

    row = Transfer.objects.get()
    assert (held.status, row.status, row.error_code) == ("running", "unknown", "paused")
    assert list(moved().values()) == [0]
    unpaused(workspace, anna)
    let_time_pass()
    assert again(held).status == "succeeded"
    assert list(moved().values()) == [1]


def test_an_approval_during_a_pause_waits_for_its_end(
    workspace, topup, run, anna, moved
):
    waiting = run(demand(topup, approval="always"))
    services.pause(workspace, user=anna)
    services.approve_run(waiting.pk, user=anna)
    assert again(waiting).status == "awaiting_approval"

    unpaused(workspace, anna)

    assert again(waiting).status == "succeeded"


def test_the_end_of_a_pause_cuts_no_notice_and_no_approval_short(
    workspace, topup, run, anna
):
    told = run(demand(topup, notice_seconds=600), "one")
    asked = run(demand(topup, approval="always"), "two")
    services.pause(workspace, user=anna)

    assert unpaused(workspace, anna) == []
    assert (again(told).status, again(asked).status) == (
        "notified",
        "awaiting_approval",
    )


def test_a_protected_account_is_left_out_of_plans(alice, topup, run, anna):
    accounts.protect(alice.pots[0], user=anna)

    kept = run(topup)

    assert kept.status == "skipped_protected"
    accounts.release(alice.pots[0], user=anna)
    assert run(topup, "two").status == "succeeded"


@pytest.mark.django_db(transaction=True)
def test_a_pause_waits_for_who_commits_to_send_and_stops_everybody_after(
    alice, topup, run, workspace, anna
):
    """Of a pause and a commit to send one is first: never does a send follow a pause."""
    run(topup)
    row = Transfer.objects.select_related("source", "target").get()
    paused = threading.Event()

    def pause():
        try:
            services.pause(workspace, user=anna)
            paused.set()
        finally:
            connections.close_all()

    thread = threading.Thread(target=pause)
    with transaction.atomic():
        switches.guard(row)  # nobody has paused
        thread.start()
        assert not paused.wait(0.3)
    thread.join(10)
    assert paused.is_set()
    with transaction.atomic(), pytest.raises(switches.Stopped):
        switches.guard(row)
