"""The real machine of runs, in every order of events that chance and hypothesis find."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from automation.machine import concluding, waiting
from automation.machine import run as r

from .run_world import AMOUNTS, ENDS, OUTCOMES, PAUSES, WORKERS, World, simulate

SEEDS = 3000
HUNT = 10_000  # seeds within which a planted bug must show
worker = st.sampled_from(WORKERS)
terms = st.builds(
    r.Terms,
    approval=st.booleans(),
    notice=st.sampled_from([timedelta(0), timedelta(minutes=10)]),
    tolerance=st.sampled_from([0, 2, 5]),
    shelf_life=st.sampled_from([timedelta(hours=1), timedelta(hours=6)]),
)


class Runs(RuleBasedStateMachine):
    """Hypothesis looks for the story that breaks it, and tells the shortest."""

    world: World

    @initialize(terms=terms)
    def a_run_becomes_due(self, terms: r.Terms) -> None:
        self.world = World(terms)

    @rule(amount=st.sampled_from(AMOUNTS))
    def somebody_saw_a_plan_and_asks_for_it(self, amount: int) -> None:
        self.world.see_ahead(amount)

    @rule(seconds=st.sampled_from(PAUSES))
    def time_passes(self, seconds: int) -> None:
        self.world.wait(seconds)

    @rule(worker=worker, held=st.booleans())
    def somebody_claims(self, worker: int, held: bool) -> None:
        self.world.claim(worker, held=held)

    @precondition(lambda self: self.world.workers)
    @rule(
        worker=worker,
        outcome=st.sampled_from(OUTCOMES),
        amount=st.sampled_from(AMOUNTS),
        retry=st.booleans(),
        ask=st.booleans(),
        dry=st.booleans(),
    )
    def a_worker_plans(self, worker, outcome, amount, **more) -> None:
        self.world.plan(worker, outcome, amount, **more)

    @precondition(lambda self: self.world.workers)
    @rule(worker=worker, which=st.sampled_from([0, 1]), end=st.sampled_from(ENDS))
    def a_worker_drives(self, worker: int, which: int, end: str) -> None:
        self.world.drive(worker, which, end)

    @rule()
    def a_person_approves(self) -> None:
        self.world.approve()

    @rule()
    def a_person_cancels(self) -> None:
        self.world.cancel()

    @rule()
    def a_person_resumes(self) -> None:
        self.world.resume()

    @rule(which=st.sampled_from([0, 1]))
    def the_truth_turns_out(self, which: int) -> None:
        self.world.turn_out(which)

    @rule()
    def somebody_wakes_it(self) -> None:
        self.world.nudge()

    @rule(worker=worker)
    def a_worker_holds_on(self, worker: int) -> None:
        self.world.renew(worker)

    @rule(worker=worker)
    def a_worker_gives_it_back(self, worker: int) -> None:
        self.world.give_back(worker)

    @rule(worker=worker)
    def a_worker_is_killed(self, worker: int) -> None:
        self.world.kill(worker)

    @invariant()
    def nothing_is_executed_twice_or_unasked_and_no_row_lies(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle_down()


TestRuns = Runs.TestCase
TestRuns.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_thousands_of_stories_end_well():
    ends = {simulate(seed).row.status for seed in range(SEEDS)}

    assert ends >= {
        "succeeded",
        "partial",
        "failed",
        "cancelled",
        "missed",
        "nothing_to_do",
        "skipped_stale",
        "skipped_funds",
    }


def test_a_story_is_the_same_again():
    assert simulate(7).row == simulate(7).row


# -- a simulator that cannot fail proves nothing


def anything_agrees(seen, now, tolerance):
    return now


def nobody_is_asked(state, event, now, original=waiting.agree):
    free = replace(state.terms, approval=False, notice=timedelta(0))
    return original(replace(state, terms=free), event, now)


def an_approval_outlives_its_plan(state, event, now, original=waiting.ask):
    waits, commands = original(state, event, now)
    kept = {"approved_at": state.approved_at, "next_attempt_at": now}
    return replace(waits, **kept), commands


def a_notice_is_never_waited_for(state, now):
    return False


def a_cancel_is_forgotten(state, event, now):
    return state, ()


def an_end_is_no_end(state, event, now):
    return replace(state, status=r.Status.RUNNING, finished_at=None), ()


def planned_whenever(state):
    return True


PLANTED = {
    "any plan agrees": (waiting, "common", anything_agrees),
    "nobody is asked": (waiting, "agree", nobody_is_asked),
    "an approval outlives its plan": (waiting, "ask", an_approval_outlives_its_plan),
    "a notice is not waited for": (r, "early", a_notice_is_never_waited_for),
    "an approval is not waited for": (r, "awaits", lambda state: False),
    "a cancel is forgotten": (r, "cancel", a_cancel_is_forgotten),
    "an end is no end": (r, "resume", an_end_is_no_end),
    "it is planned at any time": (r, "before", planned_whenever),
    "a dry run is none": (waiting, "look", waiting.agree),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug, monkeypatch):
    monkeypatch.setattr(*PLANTED[bug])

    with pytest.raises(AssertionError):
        for seed in range(HUNT):
            simulate(seed)


# -- single steps that chance finds rarely


def test_a_cancel_that_comes_too_late_tells_what_was_moved():
    steps = [r.Step("done"), r.Step("expired", cancelled=True)]

    assert concluding.conclusion(steps, "") == (
        "partial",
        "1 of 2 moves were made; 1 were cancelled",
    )
