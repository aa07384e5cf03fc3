"""The pure machine, event by event: what follows, and what must never follow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from automation.machine import Command, Evidence, Part, RunCommand, RunState, step
from automation.machine import TransferState as State
from automation.machine import events as e
from automation.machine import run as r
from automation.machine import transfer as t

NOW = datetime(2026, 1, 25, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
PENDING = State(amount=500, asset="GBP/2", horizon=HOUR, expires_at=NOW + 6 * HOUR)


def after(state, *events, at=NOW):
    """Return the state and the last commands after `events`, a second apart."""
    commands = ()
    for number, event in enumerate(events):
        state, commands = step(state, event, at + timedelta(seconds=number))
    return state, commands


def sending(state=PENDING):
    return after(state, e.Claim(), e.Affordable())[0]


def unknown(state=PENDING):
    return after(sending(state), e.Lost("outcome_unknown"), at=NOW + 2 * t.BACKOFF[1])[
        0
    ]


def claimed_again(state=None, at=NOW + timedelta(minutes=2)):
    return after(state or unknown(), e.Claim(), at=at)


def test_a_claim_checks_the_balance_before_anything_is_sent():
    state, commands = after(PENDING, e.Claim())

    assert (state.status, state.attempts) == ("sending", 1)
    assert state.first_sent_at is None
    assert commands == (Command.CHECK,)


def test_the_moment_of_sending_is_committed_before_the_command_to_send():
    state, commands = after(PENDING, e.Claim(), e.Affordable())

    assert state.first_sent_at == state.sent_at == NOW + timedelta(seconds=1)
    assert commands == (Command.SEND,)


def test_nobody_claims_what_another_worker_holds():
    taken, _ = after(PENDING, e.Claim())

    assert step(taken, e.Claim(), NOW + timedelta(seconds=44)) == (taken, ())


def test_a_claim_that_died_before_sending_leaves_no_doubt():
    taken, _ = after(PENDING, e.Claim())
    again, commands = step(taken, e.Claim(), NOW + t.LEASE)

    assert not again.may_have_moved
    assert commands == (Command.CHECK,)


def test_a_claim_that_died_while_sending_is_asked_for_first():
    again, commands = step(sending(), e.Claim(), NOW + 2 * t.LEASE)

    assert again.may_have_moved
    assert commands == (Command.ASK,)


def test_an_answer_that_agrees_is_done_and_verified():
    evidence = Evidence("ref", 500, "GBP/2", balance_agrees=True)
    state, commands = after(sending(), e.Answered(evidence))

    assert (state.status, state.verified, state.reference) == ("done", True, "ref")
    assert commands == (Command.BOOK,)


def test_an_answer_that_says_little_is_done_but_not_verified():
    state, _ = after(sending(), e.Answered(Evidence("ref")))

    assert (state.status, state.verified) == ("done", False)


@pytest.mark.parametrize(
    "wrong", [Evidence(amount=499), Evidence(asset="USD/2"), Evidence(amount=0)]
)
@pytest.mark.parametrize("event", [e.Answered, e.Found])
def test_a_contradiction_freezes_the_rule_and_calls_a_person(event, wrong):
    state, commands = after(sending(), event(wrong))

    assert (state.status, state.needs_person) == ("unknown", True)
    assert commands == (Command.FREEZE, Command.ALERT)
    assert state.next_attempt_at is None


def test_a_balance_that_disagrees_is_never_done_by_that_answer():
    state, commands = after(sending(), e.Answered(Evidence(balance_agrees=False)))

    assert (state.status, state.needs_person) == ("unknown", True)
    assert commands == (Command.ALERT,)


def test_what_a_person_must_look_at_is_read_again_and_never_sent_again():
    doubt, _ = after(sending(), e.Answered(Evidence(balance_agrees=False)))
    taken, commands = claimed_again(doubt)
    assert commands == (Command.ASK,)

    state, commands = after(taken, e.NotFound())
    assert (state.status, state.needs_person, commands) == ("unknown", True, ())


def test_a_first_refusal_proves_that_nothing_moved():
    state, _ = after(sending(), e.Refused("account_unusable", "no"))

    assert (state.status, state.error_code) == ("refused", "account_unusable")


def test_a_refusal_after_a_doubtful_attempt_proves_nothing():
    taken, _ = claimed_again()
    again, _ = after(taken, e.NotFound(), e.Affordable(), at=NOW + 2 * HOUR / 60)
    state, _ = after(
        again, e.Refused("insufficient_funds"), at=NOW + timedelta(minutes=3)
    )

    assert state.status == "unknown"


def test_a_failure_before_acting_leaves_it_as_if_never_sent():
    state, _ = after(sending(), e.NotSent("unavailable"))

    assert (state.status, state.first_sent_at) == ("pending", None)


def test_a_rate_limit_is_obeyed_if_longer_than_the_backoff():
    state, _ = after(sending(), e.NotSent("rate_limited", retry_after=300))

    assert state.next_attempt_at == NOW + timedelta(seconds=300)


def test_the_backoff_grows_to_a_minute():
    state, at, pauses = unknown(), NOW + timedelta(minutes=1), []
    for _ in range(6):
        state, _ = after(state, e.Claim(), at=at)
        state, _ = step(state, e.AskFailed("unavailable"), at)
        pauses.append((state.next_attempt_at - at).total_seconds())
        at = state.next_attempt_at

    assert pauses == [2, 5, 15, 60, 60, 60]


def test_not_found_within_half_the_horizon_is_checked_then_sent_again():
    taken, _ = claimed_again()
    state, commands = after(taken, e.NotFound())
    assert commands == (Command.CHECK,)

    state, commands = after(state, e.Affordable(), at=NOW + timedelta(minutes=2))
    assert commands == (Command.SEND,)
    assert state.first_sent_at == NOW + timedelta(seconds=1)  # the horizon stays


def test_not_found_after_half_the_horizon_is_never_sent_again():
    late = NOW + HOUR / 2 + timedelta(seconds=2)
    taken, commands = claimed_again(at=late)
    assert commands == (Command.ASK,)

    state, commands = step(taken, e.NotFound(), late)
    assert (state.status, state.needs_person) == ("unknown", True)
    assert commands == (Command.ALERT,)


def test_it_is_not_sent_when_the_check_took_until_half_the_horizon():
    early = NOW + HOUR / 2
    taken, _ = claimed_again(at=early)
    state, commands = step(taken, e.Affordable(), early + timedelta(seconds=10))

    assert commands == ()
    assert state.status == "unknown"


def test_found_is_done_and_verified_even_if_a_person_was_called():
    doubt = replace(unknown(), needs_person=True, error="?")
    taken, _ = claimed_again(doubt)
    state, _ = after(taken, e.Found(Evidence("ref", 500, "GBP/2")))

    assert (state.status, state.verified, state.needs_person) == ("done", True, False)


def test_not_affordable_before_sending_is_held():
    taken, _ = after(PENDING, e.Claim())
    state, commands = step(taken, e.Unaffordable("insufficient_funds"), NOW)

    assert (state.status, commands) == ("pending", ())
    assert state.next_attempt_at == NOW + t.HOLD


def test_not_affordable_before_sending_again_keeps_the_doubt():
    taken, _ = claimed_again()
    state, _ = after(taken, e.Unaffordable("insufficient_funds"))

    assert state.status == "unknown"


@pytest.mark.parametrize("late", [e.Answered(Evidence()), e.Refused("x"), e.Lost("x")])
def test_an_answer_that_comes_after_the_end_changes_nothing(late):
    done, _ = after(sending(), e.Answered(Evidence("ref")))

    assert step(done, late, NOW) == (done, ())


def test_who_stands_in_line_was_never_claimed():
    state, commands = step(PENDING, e.Busy(), NOW)

    assert (state.status, state.attempts, commands) == ("pending", 0, ())
    assert (state.error_code, state.next_attempt_at) == (t.BUSY, NOW + t.TURN)


@pytest.mark.parametrize("status", [s for s in e.Status if s != e.Status.PENDING])
def test_only_what_is_pending_stands_in_line(status):
    state = replace(PENDING, status=status)

    assert step(state, e.Busy(), NOW) == (state, ())


def test_a_plan_holds_the_run_for_its_first_transfer():
    claimed, _ = step(RunState(deadline=NOW + HOUR), r.Claim(), NOW)
    later = NOW + timedelta(seconds=20)
    state, commands = step(claimed, r.Planned("planned"), later)

    assert state.lease_until == later + t.LEASE
    assert commands == (RunCommand.DRIVE,)


@pytest.mark.parametrize(("seconds", "held"), [(9, 45), (11, 56)])
def test_a_run_is_held_anew_before_a_transfer_but_not_at_every_one(seconds, held):
    claimed, _ = step(RunState(deadline=NOW + HOUR, status="running"), r.Claim(), NOW)
    state, commands = step(claimed, r.Renew(), NOW + timedelta(seconds=seconds))

    assert (state.lease_until, commands) == (NOW + timedelta(seconds=held), ())


def test_what_nobody_holds_is_not_held_anew():
    free = RunState(deadline=NOW + HOUR, status="running")

    assert step(free, r.Renew(), NOW) == (free, ())


def test_a_run_that_is_given_back_is_as_it_was_before_it_was_taken():
    due = r.RunState(deadline=NOW + timedelta(hours=1))
    taken, _ = step(due, r.Claim(), NOW)

    assert step(taken, r.GiveBack(), NOW) == (due, ())
    assert step(due, r.GiveBack(), NOW) == (due, ())
    begun = replace(taken, status=r.Status.RUNNING)
    assert step(begun, r.GiveBack(), NOW) == (begun, ())


def test_a_turn_that_is_over_is_followed_by_the_next_at_once():
    running = RunState(deadline=NOW + HOUR, status="running", attempts=1)
    state, _ = step(running, r.Progress([r.Step("pending")], more=True), NOW)

    assert (state.next_attempt_at, state.attempts) == (NOW, 0)


def test_a_plan_too_old_expires_only_what_was_never_sent():
    late = NOW + 7 * HOUR
    assert step(PENDING, e.Expire(), late)[0].status == "expired"
    assert step(unknown(), e.Expire(), late)[0].status == "unknown"
    assert step(PENDING, e.Expire(), NOW)[0] == PENDING


def test_a_second_step_without_the_first_expires():
    state, commands = step(
        replace(PENDING, part=Part.SECOND), e.DependencyFailed(), NOW
    )

    assert (state.status, commands) == ("expired", ())


@pytest.mark.parametrize("event", [e.Refused("account_unusable"), e.Expire()])
def test_a_second_step_that_is_impossible_brings_the_money_back(event):
    second = replace(PENDING, part=Part.SECOND)
    start = sending(second) if isinstance(event, e.Refused) else second
    _, commands = step(start, event, NOW + 7 * HOUR)

    assert commands == (Command.COMPENSATE,)


def test_money_that_cannot_go_back_is_stranded_and_a_person_is_called():
    back = sending(replace(PENDING, part=Part.BACK))
    state, commands = after(back, e.Refused("account_unusable"))

    assert (state.status, state.needs_person) == ("stranded", True)
    assert commands == (Command.ALERT,)


def test_only_a_first_step_that_is_done_can_be_reversed():
    done, _ = after(
        sending(replace(PENDING, part=Part.FIRST)), e.Answered(Evidence("ref"))
    )
    assert step(done, e.BroughtBack(), NOW)[0].status == "reversed"
    assert step(PENDING, e.BroughtBack(), NOW) == (PENDING, ())


def test_quarantine_keeps_what_is_unclear_and_ends_what_is_not():
    assert step(PENDING, e.Quarantine(), NOW)[0].status == "expired"
    state, _ = step(unknown(), e.Quarantine(), NOW)
    assert (state.status, state.needs_person) == ("unknown", True)
    second = replace(PENDING, part=Part.SECOND)
    assert step(second, e.Quarantine(), NOW)[0].status == "stranded"


# -- runs

DUE = RunState(deadline=NOW + 6 * HOUR)


def planned(state=DUE):
    return after(state, r.Claim(), r.Planned("planned", "1 move"))[0]


def test_a_due_run_is_planned_once_however_many_come():
    taken, commands = after(DUE, r.Claim())

    assert commands == (RunCommand.PLAN,)
    assert step(taken, r.Claim(), NOW) == (taken, ())


def test_a_run_whose_worker_died_is_taken_over_when_the_lease_is_over():
    taken, _ = after(DUE, r.Claim())
    again, commands = step(taken, r.Claim(), NOW + t.LEASE)

    assert (again.attempts, commands) == (2, (RunCommand.PLAN,))


def test_the_sixth_claim_quarantines():
    state, at = DUE, NOW
    for _ in range(r.ATTEMPTS):
        state, _ = step(state, r.Claim(), at)
        at += t.LEASE
    state, commands = step(state, r.Claim(), at)

    assert state.status == "quarantined"
    assert commands == (RunCommand.QUARANTINE, RunCommand.ALERT)


def test_too_late_to_plan_is_missed():
    state, commands = step(DUE, r.Claim(), NOW + 7 * HOUR)

    assert (state.status, commands) == ("missed", ())


def test_too_late_after_stale_readings_says_stale():
    waiting, _ = after(DUE, r.Claim(), r.Planned("skipped_stale", "old", retry=True))
    assert (waiting.status, waiting.attempts) == ("due", 0)

    assert step(waiting, r.Claim(), NOW + 7 * HOUR)[0].status == "skipped_stale"


def test_a_skip_ends_the_run_with_its_reason():
    state, _ = after(DUE, r.Claim(), r.Planned("skipped_funds", "too little"))

    assert (state.status, state.reason) == ("skipped_funds", "too little")
    assert state.finished_at


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (["done", "done"], "succeeded"),
        (["done", "refused"], "partial"),
        (["refused", "expired"], "failed"),
        (["done", "stranded"], "stranded"),
    ],
)
def test_how_a_run_ends_follows_from_its_transfers(steps, status):
    told = [r.Step(s, needs_person=s == "stranded") for s in steps]
    state, _ = after(planned(), r.Progress(told))

    assert state.status == status


def test_a_first_step_alone_is_no_move():
    steps = [r.Step("done", Part.FIRST), r.Step("expired", Part.SECOND)]

    assert after(planned(), r.Progress(steps))[0].status == "failed"


def test_an_open_transfer_keeps_the_run_running_until_its_time():
    later = NOW + timedelta(minutes=1)
    state, _ = after(planned(), r.Progress([r.Step("unknown", next_attempt_at=later)]))

    assert (state.status, state.next_attempt_at) == ("running", later)
    assert (state.attempts, state.lease_until) == (0, None)


def test_a_transfer_that_waits_for_a_person_does_not_keep_the_run():
    steps = [r.Step("done"), r.Step("unknown", needs_person=True)]
    state, _ = after(planned(), r.Progress(steps))

    assert state.status == "partial"
    assert "1 wait for a person" in state.reason


def test_success_starts_cooldowns_and_nothing_else_does():
    def commands(*statuses):
        return after(planned(), r.Progress([r.Step(s) for s in statuses]))[1]

    assert commands("done") == (RunCommand.SUCCEED,)
    assert commands("done", "refused") == commands("refused") == ()


def test_an_end_may_still_turn_out_better():
    failed, _ = after(planned(), r.Progress([r.Step("unknown", needs_person=True)]))
    assert failed.status == "failed"

    better, commands = after(failed, r.Progress([r.Step("done")]))
    assert (better.status, commands) == ("succeeded", (RunCommand.SUCCEED,))
