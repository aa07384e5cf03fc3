"""A person says go on: under the same ids, and only where nothing can move twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from automation import services
from automation.machine import run as machine
from automation.models import Rule, RuleRun, Transfer
from automation.services import deciding

from .conftest import gbp, going_once_money_left, leg
from .people import again, demand, steps

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def refused(bank, topup, run, orders) -> RuleRun:
    """A run whose only transfer the bank refused."""
    bank.fault("refuse", **orders)
    failed = run(topup)
    assert failed.status == "failed"
    return failed


@pytest.fixture
def pot_to_pot(alice) -> Rule:
    alice.fill(alice.pots[0], 80_00)
    return alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.pots[1], "target"),
    )


def give_up(run: RuleRun) -> RuleRun:
    """Let workers die of `run` until it is given up."""
    ago = now() - timedelta(seconds=1)
    RuleRun.objects.filter(pk=run.pk).update(
        attempts=machine.ATTEMPTS, lease_until=None, next_attempt_at=ago
    )
    given_up = again(run)
    assert given_up.status == "quarantined"
    return given_up


def test_a_refused_transfer_is_tried_again_under_its_own_id(
    alice, refused, anna, moved
):
    before = Transfer.objects.get().pk

    resumed = services.resume_run(refused.pk, user=anna)
    assert (resumed.status, resumed.finished_at) == ("running", None)
    done = again(resumed)

    assert done.status == "succeeded", done.reason
    assert steps(done)[-1] == "resumed"
    assert moved() == {str(before): 1}
    assert alice.holds(alice.pots[0]) == 300_00


def test_success_after_a_resume_starts_the_cooldown(refused, topup, anna):
    services.resume_run(refused.pk, user=anna)
    done = again(refused)

    topup.refresh_from_db()
    assert topup.last_success_at == done.finished_at


def test_resuming_twice_is_resuming_once(refused, anna, moved):
    services.resume_run(refused.pk, user=anna)
    services.resume_run(refused.pk, user=anna)
    again(refused), again(refused)

    assert list(moved().values()) == [1]
    refused.refresh_from_db()
    assert steps(refused).count("resumed") == 1


@pytest.mark.parametrize("late", ["plan", "horizon"])
def test_what_is_too_old_is_not_tried_again(late, refused, anna, alice):
    row = Transfer.objects.get()
    if late == "plan":
        row.expires_at = now()
    else:
        horizon = services.rows.horizon(alice.connection.provider)
        row.first_sent_at = now() - horizon
    row.save()

    with pytest.raises(deciding.NotResumable):
        services.resume_run(refused.pk, user=anna)
    refused.refresh_from_db()
    assert refused.status == "failed"


def test_nobody_resumes_a_run_of_a_rule_that_is_off(refused, anna):
    Rule.objects.update(enabled=False)

    with pytest.raises(deciding.NotResumable, match="switched off"):
        services.resume_run(refused.pk, user=anna)


@pytest.mark.parametrize("status", ["succeeded", "nothing_to_do", "awaiting_approval"])
def test_what_did_not_end_badly_is_not_resumed(status, topup, run, anna):
    if status == "awaiting_approval":
        demand(topup, approval="always")
    ended = run(topup)
    if status == "nothing_to_do":
        ended = run(topup, "two")
    assert ended.status == status

    with pytest.raises(deciding.NotResumable):
        services.resume_run(ended.pk, user=anna)


def test_what_a_person_cancelled_stays_cancelled(
    bank, alice, run, anna, orders, let_time_pass
):
    alice.fill(alice.main, 100_00)
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source"),
        leg(alice.pots[0], "priority", strategy="fixed", amount=gbp(10_00)),
        leg(alice.pots[1], "priority", order=1, strategy="fixed", amount=gbp(10_00)),
    )
    bank.fault("act_then_drop", **orders)
    begun = run(rule)
    services.cancel_run(begun.pk, user=anna)
    let_time_pass()
    assert again(begun).status == "partial"

    with pytest.raises(deciding.NotResumable):
        services.resume_run(begun.pk, user=anna)
    assert alice.holds(alice.main) == 90_00


def test_a_run_that_was_given_up_before_its_plan_is_planned_anew(topup, anna, moved):
    poison, _ = services.start_run(topup, "one", trigger_kind="daily")
    give_up(poison)

    resumed = services.resume_run(poison.pk, user=anna)
    assert (resumed.status, resumed.attempts) == ("due", 0)
    assert again(resumed).status == "succeeded"
    assert list(moved().values()) == [1]


def test_a_run_that_was_given_up_too_long_ago_is_not_planned_any_more(topup, anna):
    poison, _ = services.start_run(topup, "one", trigger_kind="daily")
    give_up(poison)
    RuleRun.objects.update(scheduled_for=now() - 7 * HOUR)

    with pytest.raises(deciding.NotResumable):
        services.resume_run(poison.pk, user=anna)


def test_an_approval_binds_also_after_a_resume(alice, topup, run, anna):
    waiting = run(demand(topup, approval="always"))
    services.approve_run(waiting.pk, user=anna)
    give_up(waiting)
    alice.fill(alice.pots[0], 100_00)
    services.resume_run(waiting.pk, user=anna)

    ended = again(waiting)

    assert ended.status == "cancelled"
    assert "The plan has changed" in ended.reason
    assert not Transfer.objects.exists()


def test_what_was_unclear_when_it_was_given_up_is_asked_for_and_sent_again_as_it_was(
    bank, alice, topup, run, anna, moved, orders
):
    bank.fault("drop_before", **orders)
    begun = run(topup)
    given_up = give_up(begun)
    assert Transfer.objects.get().needs_person

    services.resume_run(given_up.pk, user=anna)
    done = again(given_up)

    assert done.status == "succeeded", done.reason
    assert list(moved().values()) == [1]


def test_what_had_moved_when_it_was_given_up_is_found_and_not_sent(
    bank, topup, run, anna, moved, orders
):
    bank.fault("act_then_drop", **orders)
    given_up = give_up(run(topup))

    services.resume_run(given_up.pk, user=anna)

    assert again(given_up).status == "succeeded"
    assert list(moved().values()) == [1]


def test_money_that_was_brought_back_is_not_sent_again(
    bank, alice, pot_to_pot, run, anna
):
    with going_once_money_left(bank, alice.pots[1]):
        failed = run(pot_to_pot)
    assert (failed.status, alice.holds(alice.pots[0])) == ("failed", 80_00)

    with pytest.raises(deciding.NotResumable):
        services.resume_run(failed.pk, user=anna)


def test_stranded_money_is_brought_back_once_its_pot_takes_it(
    bank, alice, pot_to_pot, run, anna
):
    with going_once_money_left(bank, *alice.pots[:2]):
        stranded = run(pot_to_pot)
    assert stranded.status == "stranded"
    bank.do("amend", id=alice.pots[0].external_id, deleted=False)

    services.resume_run(stranded.pk, user=anna)
    done = again(stranded)

    assert done.status == "failed", done.reason
    assert alice.holds(alice.pots[0]) == 80_00
    assert Transfer.objects.get(step=0).status == "reversed"


def test_what_a_later_run_has_moved_is_not_moved_once_more(
    alice, refused, topup, run, anna
):
    assert run(topup, "two").status == "succeeded"

    with pytest.raises(deciding.NotResumable, match="since"):
        services.resume_run(refused.pk, user=anna)
    assert alice.holds(alice.pots[0]) == 300_00


def test_of_two_runs_that_failed_only_one_goes_on(
    bank, alice, refused, topup, run, anna, orders
):
    bank.fault("refuse", **orders)
    later = run(topup, "two")
    assert later.status == "failed"
    services.resume_run(refused.pk, user=anna)

    with pytest.raises(deciding.NotResumable, match="since"):
        services.resume_run(later.pk, user=anna)
    again(refused)
    assert alice.holds(alice.pots[0]) == 300_00
