"""A plan before money moves: shown, approved or announced, and held to what was seen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils.timezone import now

from accounts.models import Balance
from automation import services
from automation.models import RuleRun, Transfer
from automation.services import deciding

from .people import again, demand, its_notice_is_over, minor, steps

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


# -- approval


def test_a_plan_that_must_be_approved_waits_and_has_no_transfers(alice, topup, run):
    waiting = run(demand(topup, approval="always"))

    assert waiting.status == "awaiting_approval"
    assert (waiting.lease_until, waiting.finished_at) == (None, None)
    assert minor(waiting) == [300_00]
    assert waiting.plan_hash
    assert "asked" in steps(waiting)
    assert not Transfer.objects.exists()
    assert alice.holds(alice.pots[0]) == 0


def test_nobody_but_a_person_lets_it_go_on(topup, run, let_time_pass):
    waiting = run(demand(topup, approval="always"))
    for _ in range(7):
        let_time_pass()
        waiting = again(waiting)

    assert waiting.status == "awaiting_approval"
    assert not Transfer.objects.exists()


def test_an_approved_plan_is_read_again_and_carried_out(alice, topup, run, anna):
    waiting = run(demand(topup, approval="always"))
    services.approve_run(waiting.pk, user=anna, plan_hash=waiting.plan_hash)

    done = again(waiting)

    assert done.status == "succeeded", done.reason
    assert (done.approved_by, done.wanted_hash) == (anna, waiting.plan_hash)
    assert "approved" in steps(done)
    assert alice.holds(alice.pots[0]) == 300_00
    assert alice.connection.sync_runs.filter(kind="pre_automation").count() == 2


def test_approving_twice_is_approving_once(topup, run, anna, moved):
    waiting = run(demand(topup, approval="always"))
    first = services.approve_run(waiting.pk, user=anna)
    second = services.approve_run(waiting.pk, user=User.objects.create_user("ben"))

    assert first.approved_at == second.approved_at
    assert second.approved_by == anna
    again(waiting), again(waiting)
    services.approve_run(waiting.pk, user=anna)
    assert list(moved().values()) == [1]


def test_a_plan_that_is_not_shown_cannot_be_approved(topup, run, anna):
    waiting = run(demand(topup, approval="always"))

    with pytest.raises(deciding.AnotherPlan):
        services.approve_run(waiting.pk, user=anna, plan_hash="0" * 64)
    assert again(waiting).status == "awaiting_approval"


def test_what_does_not_wait_cannot_be_approved(topup, run, anna):
    done = run(topup)

    with pytest.raises(deciding.NotAwaited):
        services.approve_run(done.pk, user=anna)


def test_a_plan_that_changed_after_approval_asks_again_and_says_why(
    alice, topup, run, anna
):
    waiting = run(demand(topup, approval="always"))
    services.approve_run(waiting.pk, user=anna)
    alice.fill(alice.pots[0], 100_00)

    asked = again(waiting)

    assert (asked.status, asked.approved_at) == ("awaiting_approval", None)
    assert "£200.00 instead of £300.00" in asked.reason
    assert minor(asked) == [200_00]
    assert asked.plan_hash != waiting.plan_hash
    assert not Transfer.objects.exists()
    with pytest.raises(deciding.AnotherPlan):
        services.approve_run(asked.pk, user=anna, plan_hash=waiting.plan_hash)
    services.approve_run(asked.pk, user=anna, plan_hash=asked.plan_hash)
    assert again(asked).status == "succeeded"
    assert alice.holds(alice.pots[0]) == 300_00


@pytest.mark.parametrize(
    ("held", "tolerance", "status", "moves"),
    [
        (2_00, 2_00, "succeeded", 298_00),  # less is needed: less is moved
        (2_01, 2_00, "awaiting_approval", 0),
        (1, 0, "awaiting_approval", 0),
    ],
)
def test_within_the_tolerance_the_smaller_amount_is_moved(
    held, tolerance, status, moves, alice, topup, run, anna
):
    waiting = run(demand(topup, approval="always", tolerance=tolerance))
    services.approve_run(waiting.pk, user=anna)
    alice.fill(alice.pots[0], held)

    assert again(waiting).status == status
    assert alice.holds(alice.pots[0]) == held + moves


def test_more_than_was_approved_is_never_moved(alice, topup, run, anna):
    alice.fill(alice.pots[0], 2_00)
    waiting = run(demand(topup, approval="always", tolerance=2_00))
    services.approve_run(waiting.pk, user=anna)
    alice.fill(alice.pots[0], 0)

    done = again(waiting)

    assert done.status == "succeeded"
    assert minor(done) == [298_00]
    assert alice.holds(alice.pots[0]) == 298_00


def test_an_approved_run_that_has_nothing_left_to_do_ends(alice, topup, run, anna):
    waiting = run(demand(topup, approval="always"))
    services.approve_run(waiting.pk, user=anna)
    alice.fill(alice.pots[0], 300_00)

    assert again(waiting).status == "nothing_to_do"


def test_the_first_approval_lasts_for_the_runs_after_a_success(topup, run, anna, alice):
    demand(topup, approval="first")
    waiting = run(topup, "one")
    assert waiting.status == "awaiting_approval"
    services.approve_run(waiting.pk, user=anna)
    assert again(waiting).status == "succeeded"
    alice.fill(alice.pots[0], 0)

    assert run(topup, "two").status == "succeeded"


def test_a_cancelled_first_run_is_no_success(topup, run, anna):
    demand(topup, approval="first")
    services.cancel_run(run(topup, "one").pk, user=anna)

    assert run(topup, "two").status == "awaiting_approval"


def test_a_plan_that_waits_too_long_for_approval_is_too_old(
    topup, run, anna, let_time_pass
):
    waiting = run(demand(topup, approval="always"))
    assert waiting.next_attempt_at - waiting.planned_at == 6 * HOUR
    RuleRun.objects.update(planned_at=now() - 6 * HOUR)

    with pytest.raises(deciding.PlanTooOld):
        services.approve_run(waiting.pk, user=anna)
    let_time_pass()
    ended = again(waiting)
    assert ended.status == "missed"
    assert "Nobody approved the plan within 6:00:00" in ended.reason
    assert steps(ended)[-1] == "missed"
    assert not Transfer.objects.exists()


@pytest.mark.parametrize("kind", ["daily", "manual"])
def test_an_approved_plan_waits_for_a_reading_and_keeps_its_approval(
    kind, bank, topup, run, anna, let_time_pass
):
    demand(topup, approval="always")
    started, _ = services.start_run(topup, "one", trigger_kind=kind)
    waiting = again(started)
    services.approve_run(waiting.pk, user=anna)
    bank.fault("drop_before", times=None)
    an_hour_passes()

    stale = again(waiting)

    assert stale.status == "awaiting_approval"
    assert stale.approved_at is not None
    assert stale.outcome == "skipped_stale"
    bank.calm()
    let_time_pass()
    assert again(stale).status == "succeeded"


def an_hour_passes() -> None:
    """Age what is known, so that a run needs a reading."""
    Balance.objects.update(fetched_at=now() - HOUR, as_of=now() - HOUR)


# -- a plan on older readings


@pytest.fixture
def old(topup, alice, bank):
    """The rule that asks about older readings, when there are no others."""
    alice.sync()
    minute_ago = now() - HOUR / 60
    Balance.objects.update(fetched_at=minute_ago, as_of=minute_ago)
    bank.fault("drop_before", times=None, method="GET")
    return demand(topup, on_stale="ask")


def told(run: RuleRun) -> str:
    return "\n".join(step["text"] for step in run.trace)


def test_whoever_is_asked_about_an_older_reading_is_told_how_old_it_is(old, run):
    asked = run(old, kind="daily")

    assert asked.status == "awaiting_approval"
    assert asked.reason.startswith("1 move, £300.00 in all, on older readings: ")
    assert asked.reason.endswith(" s old, more than 5 s")
    assert f"A person must approve it: {asked.reason}" in told(asked)
    assert "s old; nothing leaves before it is read again" in told(asked)
    assert "somebody approved" not in told(asked)


def test_an_approved_plan_on_an_older_reading_ends_with_why_nothing_was_moved(
    old, run, anna
):
    asked = run(old, kind="daily")
    services.approve_run(asked.pk, user=anna)

    waits = again(asked)
    assert waits.status == "awaiting_approval"
    assert waits.reason.startswith("Approved, but it cannot be read afresh yet: ")
    nearly = now() - 6 * HOUR + timedelta(seconds=30)
    RuleRun.objects.update(planned_at=nearly, next_attempt_at=now())
    ended = again(asked)

    assert ended.status == "skipped_stale"
    assert ended.reason.startswith("Approved, but not read afresh in time, so ")
    assert ended.reason.endswith(" s old, more than 5 s")
    assert not Transfer.objects.exists()


def test_an_approved_plan_on_an_older_reading_is_carried_out_on_a_live_one(
    old, alice, bank, run, anna
):
    asked = run(old, kind="daily")
    services.approve_run(asked.pk, user=anna)
    bank.calm()

    assert again(asked).status == "succeeded"
    assert alice.holds(alice.pots[0]) == 300_00


# -- notice


def test_a_plan_is_announced_and_waits_for_its_notice(topup, run, let_time_pass):
    told = run(demand(topup, notice_seconds=600))

    assert told.status == "notified"
    assert told.next_attempt_at == told.notice_until
    assert told.notice_until - told.planned_at == timedelta(seconds=600)
    assert "announced" in steps(told)
    let_time_pass()
    assert again(told).status == "notified"  # an early message changes nothing
    assert not Transfer.objects.exists()


def test_after_its_notice_the_plan_is_read_again_and_carried_out(alice, topup, run):
    told = run(demand(topup, notice_seconds=600))
    its_notice_is_over(told)

    assert again(told).status == "succeeded"
    assert alice.holds(alice.pots[0]) == 300_00


def test_a_plan_that_changed_during_its_notice_is_announced_again(alice, topup, run):
    told = run(demand(topup, notice_seconds=600))
    its_notice_is_over(told)
    alice.fill(alice.pots[0], 50_00)

    anew = again(told)

    assert anew.status == "notified"
    assert anew.notice_until > now()
    assert "£250.00 instead of £300.00" in anew.reason
    assert not Transfer.objects.exists()
    its_notice_is_over(anew)
    assert again(anew).status == "succeeded"


def test_a_plan_that_changes_each_time_is_not_announced_for_ever(alice, topup, run):
    told = run(demand(topup, notice_seconds=86_400))
    announced = 0
    while told.status == "notified" and announced < 10:
        announced += 1
        its_notice_is_over(told)
        RuleRun.objects.update(scheduled_for=now() - announced * 24 * HOUR)
        alice.fill(alice.pots[0], announced * 10_00)
        told = again(told)

    assert (told.status, announced) == ("missed", 2)  # the first notice, and one more
    assert "£280.00 instead of £290.00" in told.reason
    assert "too late to announce it again" in told.reason
    assert steps(told)[-1] == "missed"
    assert steps(told).count("announced") == 2
    assert not Transfer.objects.exists()


def test_what_must_be_approved_is_not_announced_as_well(topup, run, anna):
    waiting = run(demand(topup, approval="always", notice_seconds=600))
    assert waiting.status == "awaiting_approval"
    services.approve_run(waiting.pk, user=anna)

    assert again(waiting).status == "succeeded"


# -- a plan that was seen before it was asked for


def start_seen(rule, user):
    seen = services.preview(rule, refresh=True)
    return services.start_run(
        rule, "seen", trigger_kind="api", requested_by=user, seen=seen
    )[0]


def test_whoever_saw_the_plan_has_approved_it(topup, anna):
    started = start_seen(demand(topup, approval="always", notice_seconds=600), anna)

    done = again(started)

    assert done.status == "succeeded", done.reason
    assert done.approved_by == anna


def test_a_plan_that_was_seen_and_changed_moves_nothing_and_says_so(alice, topup, anna):
    started = start_seen(topup, anna)
    alice.fill(alice.pots[0], 100_00)

    done = again(started)

    assert (done.status, done.outcome) == ("cancelled", "planned")
    assert done.reason.startswith("The plan has changed: ")
    assert "£200.00 instead of £300.00" in done.reason
    assert steps(done)[-1] == "cancelled"
    assert not Transfer.objects.exists()


def test_another_balance_is_no_other_plan_if_the_moves_are_the_same(alice, topup, anna):
    started = start_seen(topup, anna)
    alice.fill(alice.main, 999_00)

    assert again(started).status == "succeeded"
