"""Our clock was wrong and is put right: what it wrote down meanwhile cannot be believed."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils.timezone import now

from automation.machine import TransferState, transfer
from automation.machine.run import AFTER_SYNC
from automation.models import RuleRun, Transfer
from automation.services import sending

from .conftest import Killed, at_every_bank, die, sweep
from .people import demand

pytestmark = pytest.mark.django_db
STEP = timedelta(hours=2)  # by which our clock is ahead, then set back
SECONDS = STEP.total_seconds()


@pytest.fixture
def ahead(sandbox, bank):
    """Let our clock go two hours before the bank's, which remembers ids for one."""
    bank.configure(dedupe_horizon=3600.0)
    sandbox.clock.advance(-SECONDS)


@pytest.fixture
def put_right(sandbox):
    """Return what sets our clock back, while the bank's goes on as if nothing were."""

    def back(step: timedelta = STEP):
        sandbox.clock.advance(step.total_seconds())
        return time_machine.travel(now() - step, tick=True)

    return back


@pytest.fixture
def lost(bank, ahead, topup, run, orders) -> RuleRun:
    """Return a run whose transfer the bank made, and whose answer never came."""
    bank.fault("act_then_drop", **orders)
    started = run(topup)
    assert Transfer.objects.get().status == "unknown"
    return started


def test_an_attempt_of_the_future_is_found_as_soon_as_the_clock_is_right(
    lost, put_right, moved
):
    with put_right():
        sweep()
        lost.refresh_from_db()

    assert lost.status == "succeeded", lost.reason
    assert list(moved().values()) == [1]


def test_an_attempt_of_the_future_is_not_sent_again_though_the_bank_names_no_ids(
    bank, lost, put_right, moved, let_time_pass
):
    bank.configure(shows_dedupe=False)
    with put_right():
        for _ in range(3):
            sweep()
        waiting = Transfer.objects.get()

    assert (waiting.status, waiting.needs_person) == ("unknown", True)

    let_time_pass()  # and two hours later ours shows again what it showed then
    sweep()

    waiting.refresh_from_db()
    assert (waiting.status, waiting.needs_person) == ("unknown", True)
    assert list(moved().values()) == [1]


@at_every_bank
def test_what_nobody_looked_at_until_its_moment_came_again_is_found_by_its_id(
    sandbox, lost, moved, let_time_pass
):
    sandbox.clock.advance(SECONDS)
    let_time_pass()
    sweep()

    lost.refresh_from_db()
    assert lost.status == "succeeded", lost.reason
    assert list(moved().values()) == [1]


@pytest.mark.parametrize("shown", [True, False], ids=["by its id", "by what it moved"])
def test_an_attempt_of_a_clock_that_was_behind_is_found_once_it_is_right(
    shown, bank, sandbox, topup, run, orders, put_right, moved
):
    sandbox.clock.advance(SECONDS)
    bank.configure(dedupe_horizon=3600.0, shows_dedupe=shown)
    bank.fault("act_then_drop", **orders)
    started = run(topup)
    with put_right(-STEP):
        sweep()
        started.refresh_from_db()

    assert started.status == "succeeded", started.reason
    assert list(moved().values()) == [1]


def test_what_a_dead_worker_held_in_the_future_is_asked_about_at_once(
    bank, ahead, topup, run, put_right, moved, monkeypatch
):
    """Else it seemed one lease old when its moment came again, an hour later."""
    bank.configure(shows_dedupe=False)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(sending.Drive, "heard", die)
        run(topup)
    with put_right(timedelta(minutes=59)):
        sweep()  # the lease begins anew
        with time_machine.travel(now() + transfer.LEASE, tick=True):
            sweep()
        dead = Transfer.objects.get()

    assert (dead.status, dead.needs_person) == ("unknown", True)
    assert list(moved().values()) == [1]


def test_an_attempt_of_an_hour_ahead_is_asked_about_however_short_its_pause(
    bank, lost, put_right, moved
):
    bank.configure(shows_dedupe=False)
    with put_right(timedelta(minutes=50)):
        sweep()
        waiting = Transfer.objects.get()

    assert (waiting.status, waiting.needs_person) == ("unknown", True)
    assert list(moved().values()) == [1]


def test_what_a_person_waits_for_is_read_again_once_the_clock_is_right(
    bank, lost, put_right, let_time_pass
):
    bank.configure(shows_dedupe=False)
    with time_machine.travel(now() + timedelta(minutes=40), tick=True):
        let_time_pass()
        sweep()
        assert Transfer.objects.get().needs_person
    bank.configure(shows_dedupe=True)
    with put_right():
        sweep()
        lost.refresh_from_db()

    assert lost.status == "succeeded", lost.reason


def test_a_run_that_found_too_little_looks_again_once_the_clock_is_right(
    alice, topup, run, put_right
):
    alice.fill(alice.main, 0)
    waiting = run(demand(topup, on_short="retry_next"), kind="daily")
    with put_right():
        sweep()
        waiting.refresh_from_db()
        pause = waiting.next_attempt_at - now()

    assert waiting.status == "due"
    assert pause <= AFTER_SYNC


@pytest.mark.parametrize(
    "terms",
    [{"notice_seconds": 3 * 3600}, {"approval": "always"}],
    ids=["notice", "ask"],
)
def test_a_long_notice_is_no_pause_of_the_future(terms, topup, run):
    waiting = run(demand(topup, **terms), kind="daily")
    sweep()

    known = (waiting.status, waiting.next_attempt_at, waiting.queued_at)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.next_attempt_at, waiting.queued_at) == known


@pytest.mark.parametrize(
    ("minutes", "only_read"),
    [(-120, True), (-2, True), (-1, False), (0, False), (29, False), (30, True)],
)
def test_an_attempt_is_young_only_if_it_was_made_lately(minutes, only_read):
    moment = now()
    sent = moment - timedelta(minutes=minutes)
    state = TransferState(1, "GBP/2", timedelta(hours=1), first_sent_at=sent)

    assert state.read_only(moment) is only_read
