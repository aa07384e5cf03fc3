"""What a run leaves short gets another try, and nothing is done twice because of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils.timezone import now

from accounts.models import Balance
from automation import services, tasks
from automation.models import Rule, RuleRun, Transfer
from automation.rules.identity import retry_key

from .conftest import Killed, at_least, die, gbp, leg
from .people import again, demand, minor, steps, synced
from .test_bills import pay

pytestmark = pytest.mark.django_db
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def bills(alice) -> Rule:
    """Alice's rule: two bills, and a priority below them; there is enough for one."""
    alice.fill(alice.main, 60_00)
    return wanting(alice)


def wanting(alice, **more) -> Rule:
    first, second, below = alice.pots
    return alice.rule(
        "autosort",
        leg(alice.main, "source"),
        leg(first, "bills", strategy="fixed", amount=gbp(50_00)),
        leg(second, "bills", order=1, strategy="fixed", amount=gbp(30_00)),
        leg(below, "priority", strategy="fixed", amount=gbp(20_00)),
        **{"on_short": "retry_next", **more},
    )


def retry_of(run: RuleRun) -> RuleRun:
    return RuleRun.objects.get(rule=run.rule, key=retry_key(run.key))


def money_comes(alice, amount: int = 500_00) -> None:
    """Let Alice be paid, and a sync see it."""
    alice.fill(alice.main, amount)
    synced(alice)


def told(run: RuleRun) -> str:
    return "\n".join(step["text"] for step in run.trace)


def pots(alice) -> list[int]:
    return [alice.holds(pot) for pot in alice.pots]


def test_what_was_short_is_paid_after_the_next_sync_and_nothing_twice(
    alice, bills, run
):
    first = run(bills, kind="daily")
    assert (first.status, minor(first)) == ("succeeded", [50_00])
    later = retry_of(first)
    assert (later.status, later.outcome) == ("due", "skipped_funds")
    assert later.scheduled_for == first.scheduled_for
    assert pots(alice) == [50_00, 0, 0]

    money_comes(alice)
    later = again(later)

    assert (later.status, minor(later)) == ("succeeded", [30_00, 20_00])
    assert "had its part of this occurrence already" in told(later)
    assert pots(alice) == [50_00, 30_00, 20_00]
    money_comes(alice)
    assert list(RuleRun.objects.unfinished()) == []


def test_a_source_that_was_short_gives_later_and_the_others_do_not_again(alice, run):
    poor, rich, _ = alice.pots
    alice.fill(poor, 10_00)
    alice.fill(rich, 20_00)
    rule = alice.rule(
        "sweep",
        leg(poor, "source", strategy="fixed", amount=gbp(50_00)),
        leg(rich, "source", order=1, strategy="fixed", amount=gbp(5_00)),
        leg(alice.main, "target"),
        on_short="retry_next",
    )
    first = run(rule, kind="daily")
    assert (first.status, minor(first)) == ("succeeded", [5_00])

    alice.fill(poor, 70_00)
    synced(alice)

    assert minor(again(retry_of(first))) == [50_00]
    assert (alice.holds(poor), alice.holds(rich)) == (20_00, 15_00)


def test_a_sync_alone_lets_workers_pay_what_was_short(alice, bills, run):
    run(bills, kind="daily")
    money_comes(alice)

    for run_id in services.due_runs():
        tasks.execute_run(str(run_id))

    assert pots(alice) == [50_00, 30_00, 20_00]


def test_each_try_leaves_what_is_still_short_to_another(alice, bills, run):
    first = run(bills, kind="daily")
    money_comes(alice, 35_00)
    second = again(retry_of(first))
    assert minor(second) == [30_00]

    money_comes(alice)
    third = again(retry_of(second))

    assert minor(third) == [20_00]
    assert pots(alice) == [50_00, 30_00, 20_00]
    assert RuleRun.objects.count() == 3


def test_a_try_that_finds_too_little_waits_and_says_so(alice, bills, run):
    first = run(bills, kind="daily")
    money_comes(alice, 25_00)

    later = again(retry_of(first))

    assert (later.status, later.outcome) == ("due", "skipped_funds")
    assert "£30.00" in later.reason
    assert "retry" in steps(later)
    assert later.next_attempt_at > now()


def test_it_ends_when_it_is_too_late_for_its_occurrence(alice, bills, run):
    first = run(bills, kind="daily")

    with time_machine.travel(first.scheduled_for + 6 * HOUR + timedelta(seconds=1)):
        late = again(retry_of(first))

    assert (late.status, late.finished_at is not None) == ("skipped_funds", True)
    assert late.trace
    assert not late.transfers.exists()


def test_it_is_committed_with_the_plan_or_not_at_all(alice, bills, monkeypatch):
    started, _ = services.start_run(bills, "one", trigger_kind="daily")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(services.planning, "start_retry", die)
        services.execute_run(started.pk)
    assert RuleRun.objects.get().status == "due"
    assert not Transfer.objects.exists()

    RuleRun.objects.update(lease_until=None)
    again(started)

    assert RuleRun.objects.count() == 2
    assert pots(alice) == [50_00, 0, 0]


def test_a_worker_that_dies_after_the_plan_leaves_one_retry(
    alice, bills, monkeypatch, let_time_pass
):
    started, _ = services.start_run(bills, "one", trigger_kind="daily")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(services.runs, "drive", die)
        services.execute_run(started.pk)
    assert RuleRun.objects.count() == 2

    let_time_pass()

    assert again(started).status == "succeeded"
    assert RuleRun.objects.count() == 2
    assert pots(alice) == [50_00, 0, 0]


@pytest.mark.parametrize("policy", ["refuse", "partial"])
def test_only_retry_next_gets_another_try(policy, alice, run):
    alice.fill(alice.main, 60_00)

    run(wanting(alice, on_short=policy), kind="daily")

    assert RuleRun.objects.count() == 1


def test_a_dry_run_and_a_preview_leave_nothing_to_try_again(alice, bills, run):
    assert services.preview(bills, refresh=True).retry
    alice.workspace.dry_run = True
    alice.workspace.save()

    assert run(Rule.objects.get(), kind="daily").status == "nothing_to_do"

    assert RuleRun.objects.count() == 1


def test_a_plan_that_waits_for_a_yes_leaves_something_only_once_it_is_carried_out(
    alice, bills, run, anna
):
    asked = run(demand(bills, approval="always"), kind="daily")
    assert asked.status == "awaiting_approval"
    assert RuleRun.objects.count() == 1

    services.approve_run(asked.pk, user=anna, plan_hash=asked.plan_hash)
    assert again(asked).status == "succeeded"
    money_comes(alice)

    assert again(retry_of(asked)).status == "awaiting_approval"
    assert pots(alice) == [50_00, 0, 0]


# -- one occurrence: what the first part began is not begun again


def test_the_cooldown_of_the_first_part_neither_forbids_it_nor_begins_again(
    alice, bills, run
):
    first = run(demand(bills, cooldown_seconds=6 * 3600), kind="daily")
    money_comes(alice)

    assert again(retry_of(first)).status == "succeeded"

    bills.refresh_from_db()
    assert bills.last_success_at == first.finished_at


def test_the_cooldown_of_another_occurrence_forbids_it(alice, bills, run):
    first = run(demand(bills, cooldown_seconds=3600), kind="daily")
    money_comes(alice)
    run(bills, "another")

    late = again(retry_of(first))

    assert late.status == "skipped_not_due"
    assert "Cooling down" in told(late)


def test_rules_that_follow_are_started_once(alice, bills, run):
    follower = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[2], "target", strategy="fixed", amount=gbp(1_00)),
        triggers=[{"kind": "after_rule", "rule": str(bills.pk)}],
    )
    first = run(bills, kind="daily")
    money_comes(alice)
    again(retry_of(first))

    services.dispatch_due_rules(now() + timedelta(minutes=11))

    assert [r.key for r in follower.runs.all()] == [f"after_rule:{first.pk}"]


def test_rules_that_depend_on_it_go_by_its_first_part(alice, bills, run):
    below = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[2], "target", strategy="fixed", amount=gbp(1_00)),
        depends_on=[str(bills.pk)],
    )
    first = run(bills, kind="daily")
    assert retry_of(first).status == "due"

    assert run(below, kind="daily").status == "succeeded"


def test_conditions_that_its_own_first_part_broke_are_waited_for(alice, run):
    alice.fill(alice.main, 60_00)
    other = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[2], "target", strategy="fixed", amount=gbp(1_00)),
    )
    enough = at_least(alice.main, "available", gbp(60_00)) | {"else": str(other.pk)}
    first = run(wanting(alice, conditions=enough), kind="daily")
    money_comes(alice, 40_00)

    later = again(retry_of(first))
    assert (later.status, later.outcome) == ("due", "skipped_condition")
    assert not other.runs.exists()
    money_comes(alice)

    assert minor(again(later)) == [30_00, 20_00]


def test_no_other_rule_runs_instead_of_what_is_tried_again(alice, run):
    alice.fill(alice.main, 60_00)
    other = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[2], "target", strategy="fixed", amount=gbp(1_00)),
    )
    enough = at_least(alice.main, "available", gbp(60_00)) | {"else": str(other.pk)}
    first = run(wanting(alice, conditions=enough), kind="daily")

    # As late as may be, when there is no time for another try.
    soon_over = now() - 6 * HOUR + timedelta(seconds=30)
    RuleRun.objects.update(scheduled_for=soon_over)
    RuleRun.objects.unfinished().update(next_attempt_at=now())
    late = again(retry_of(first))

    assert late.status == "skipped_condition"
    assert not other.runs.exists()


def test_bills_are_replenished_of_what_was_spent_before_the_first_part(alice, run):
    """Since the last success: the payday that came in between went by unused."""
    alice.fill(alice.main, 2000_00)
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source"),
        *[
            leg(pot, "bills", order=order, strategy="replenish")
            for order, pot in enumerate(alice.pots[:2])
        ],
        on_short="retry_next",
        pay_cycle={"day": str((now() - DAY).day)},
        timezone="UTC",
    )
    services.start_run(rule, "before", trigger_kind="daily")
    long_ago = now() - 27 * DAY
    RuleRun.objects.update(status="succeeded", finished_at=long_ago)
    demand(rule, last_success_at=long_ago)
    for pot, amount in zip(alice.pots, (50_00, 30_00), strict=False):
        alice.fill(pot, 100_00)
        pay(alice, pot, amount, days_ago=20)
    alice.fill(alice.main, 60_00)
    first = run(rule, kind="daily")
    assert minor(first) == [50_00]
    money_comes(alice)

    assert minor(again(retry_of(first))) == [30_00]


def test_who_asked_by_hand_gets_another_try_too(alice, bills, run):
    first = run(bills, kind="manual")
    money_comes(alice)

    later = again(retry_of(first))

    assert (later.trigger_kind, later.status) == ("manual", "succeeded")


def test_what_a_person_asked_for_waits_too_where_nothing_can_be_read(
    alice, bank, bills, run
):
    first = run(bills, kind="manual")
    money_comes(alice)
    Balance.objects.update(fetched_at=now() - HOUR, as_of=now() - HOUR)
    bank.fault("drop_before", times=None, method="GET")

    later = again(retry_of(first))

    assert (later.status, later.outcome) == ("due", "skipped_stale")


def test_a_key_of_any_length_has_a_retry_of_its_own(alice, bills, run):
    first = run(bills, "k" * 200, kind="daily")
    money_comes(alice, 35_00)
    second = again(retry_of(first))
    money_comes(alice)

    assert minor(again(retry_of(second))) == [20_00]


def test_limits_of_a_run_are_those_of_its_occurrence(alice, run):
    alice.fill(alice.main, 60_00)
    limits = {"per_run": gbp(60_00), "per_day": gbp(90_00)}
    first = run(wanting(alice, limits=limits), kind="daily")
    money_comes(alice)

    later = again(retry_of(first))

    assert minor(later) == [10_00]
    assert "The limit of a run leaves £10.00" in told(later)


def test_a_share_that_is_kept_is_of_what_there_was_before(alice, run):
    """Half of 100.00 stays. With 45.00 gone, half of the 55.00 would be less than that."""
    alice.fill(alice.main, 100_00)
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source", keep_share="0.5"),
        leg(alice.pots[0], "bills", strategy="fixed", amount=gbp(45_00)),
        leg(alice.pots[1], "bills", order=1, strategy="fixed", amount=gbp(20_00)),
        on_short="retry_next",
    )
    first = run(rule, kind="daily")
    RuleRun.objects.unfinished().update(next_attempt_at=now())

    assert again(retry_of(first)).status == "due"

    assert alice.holds(alice.main) == 55_00


# -- what became of the first part


def test_it_waits_while_the_first_part_is_under_way(alice, bank, bills, run, orders):
    bank.fault("drop_before", times=None, **orders)
    first = run(bills, kind="daily")
    assert first.status == "running"
    money_comes(alice)

    later = again(retry_of(first))

    assert (later.status, later.outcome) == ("due", "skipped_funds")
    assert "The first part of this occurrence is not over yet" in later.reason
    wanting(alice, name="A neighbour of the same accounts")
    assert services.wake(again(later)) == []  # it stands in no line


def test_it_ends_with_a_first_part_that_moved_nothing(alice, bank, bills, run, orders):
    bank.fault("refuse", times=None, **orders)
    first = run(bills, kind="daily")
    assert first.status == "failed"
    money_comes(alice)

    later = again(retry_of(first))

    assert later.status == "skipped_condition"
    assert "The first part of this occurrence ended as failed" in told(later)


def test_it_ends_with_a_first_part_that_a_person_cancelled(
    alice, bank, bills, run, orders, anna
):
    bank.fault("429", times=None, seconds=600, **orders)
    first = run(bills, kind="daily")
    services.cancel_run(first.pk, user=anna)
    money_comes(alice)

    later = again(retry_of(first))

    assert (later.status, pots(alice)) == ("skipped_condition", [0, 0, 0])
