"""The real machine against a faulty bank, in every order of events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from automation.machine import TransferState, endings
from automation.machine import events as e
from automation.machine import transfer as t

from .one_transfer import (
    CHANGES,
    FAULTS,
    LATE,
    NONE,
    PAUSES,
    WORKERS,
    WRONG,
    World,
    simulate,
)

SEEDS = 4000
HUNT = 40_000  # seeds within which a planted bug must show
worker = st.sampled_from(WORKERS)


class Transfers(RuleBasedStateMachine):
    """Hypothesis looks for the story that breaks it, and tells the shortest."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @rule(seconds=st.sampled_from(PAUSES))
    def time_passes(self, seconds: int) -> None:
        self.world.wait(seconds)

    @rule(change=st.sampled_from(CHANGES))
    def the_owner_pays_or_is_paid(self, change: int) -> None:
        self.world.pay(change)

    @rule(minutes=st.sampled_from(WRONG))
    def our_clock_steps(self, minutes: int) -> None:
        self.world.step_to(minutes)

    @rule(worker=worker)
    def somebody_claims(self, worker: int) -> None:
        self.world.offer(worker, e.Claim())

    @rule(worker=worker)
    def somebody_lets_it_expire(self, worker: int) -> None:
        self.world.offer(worker, e.Expire())

    @rule(worker=worker)
    def a_worker_is_killed(self, worker: int) -> None:
        self.world.kill(worker)

    @rule(worker=worker, fault=st.sampled_from(FAULTS), delay=st.integers(1, 120))
    def a_worker_goes_on(self, worker: int, fault: int, delay: int) -> None:
        self.world.go_on(worker, fault, delay)

    @invariant()
    def nothing_moves_twice_and_no_row_lies(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        self.world.settle()


TestTransfers = Transfers.TestCase
TestTransfers.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_thousands_of_stories_end_well():
    ends = {simulate(seed).row.status for seed in range(SEEDS)}

    assert ends >= {"done", "refused", "expired", "unknown"}


def test_a_story_is_the_same_again():
    assert simulate(7).row == simulate(7).row


# -- a simulator that cannot fail proves nothing


def lost_is_not_sent(state, event, now):
    return replace(state, status="pending", next_attempt_at=now, first_sent_at=None)


def refused_is_refused(state, event, now, original=t.failed):
    if isinstance(event, e.Refused):
        return endings.settle(state, e.Status.REFUSED, event, now), ()
    return original(state, event, now)


def dead_means_unsent(state, now, original=t.claim):
    if state.status == e.Status.SENDING:
        state = replace(state, first_sent_at=None)
    return original(state, now)


def not_found_is_failure(state, now):
    return endings.settle(state, e.Status.REFUSED, e.Refused("not_found"), now), ()


PLANTED = {
    "release": lost_is_not_sent,
    "claim": dead_means_unsent,
    "not_found": not_found_is_failure,
}


def hunt() -> None:
    for seed in range(HUNT):
        simulate(seed)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name, monkeypatch):
    monkeypatch.setattr(t, name, PLANTED[name])

    with pytest.raises(AssertionError):
        hunt()


def test_sending_beyond_the_horizon_is_found(monkeypatch):
    monkeypatch.setattr(TransferState, "read_only", lambda *_: False)

    with pytest.raises(AssertionError, match="moved twice"):
        hunt()


def without_a_future(state, now):
    first = state.first_sent_at
    return first is not None and now >= first + state.horizon / 2


def test_taking_an_attempt_of_the_future_for_a_young_one_is_found(monkeypatch):
    monkeypatch.setattr(TransferState, "read_only", without_a_future)

    with pytest.raises(AssertionError, match="moved twice"):
        hunt()


def test_letting_it_wait_until_it_seems_young_is_found(monkeypatch):
    monkeypatch.setattr(World, "put_right", lambda world: None)

    with pytest.raises(AssertionError):
        hunt()


def a_refusal_while_an_earlier_request_is_late() -> World:
    """Play what chance finds once in twenty thousand stories."""
    world = World(shows_ids=False)
    for fault in (NONE, LATE):
        world.offer(0, e.Claim())
        world.go_on(0, fault, 120)
    world.go_on(0, LATE, 120)
    world.wait(5)
    world.offer(1, e.Claim())
    world.go_on(1, NONE, 0)  # asked: not found
    world.go_on(1, NONE, 0)  # checked: affordable
    world.pay(-1900)
    world.go_on(1, NONE, 0)  # sent again: refused
    world.check()
    return world


def test_a_refusal_proves_nothing_while_a_request_may_be_late():
    world = a_refusal_while_an_earlier_request_is_late()

    assert world.row.status == "unknown"
    assert world.bank.late


def test_believing_that_refusal_is_found(monkeypatch):
    monkeypatch.setattr(t, "failed", refused_is_refused)

    with pytest.raises(AssertionError, match="it will move"):
        a_refusal_while_an_earlier_request_is_late()
