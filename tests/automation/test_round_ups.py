"""Card payments rounded up: each exactly once, however late it settles."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.timezone import now

from accounts.models import Account
from automation import services
from automation.models import Cover, Rule, RuleLeg, Transfer

from .conftest import Person, at_every_bank, gbp, leg

pytestmark = pytest.mark.django_db


@pytest.fixture
def change(alice: Person):
    """Alice's rule: round up to whole pounds what she pays from now on."""
    alice.fill(alice.main, 100_00)
    rule = rounding(alice)
    begin(rule)
    return rule


def rounding(alice: Person, **more):
    return alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="round_ups", unit=gbp(1_00), **more),
        leg(alice.pots[0], "target"),
    )


def begin(rule):
    """Let what was paid before not count: all of it was today."""
    alone = RuleLeg.objects.filter(rule=rule, strategy="round_ups")
    alone.update(since=F("created"))


@at_every_bank
def test_what_payments_lack_to_whole_pounds_moves_once(alice, bank, change, run):
    bank.spend(alice.main.external_id, 2_60, merchant="Coffee")
    bank.spend(alice.main.external_id, 10_01)
    bank.spend(alice.main.external_id, 5_00)

    first = run(change, "one")

    assert first.status == "succeeded"
    assert alice.holds(alice.pots[0]) == 40 + 99
    assert "3 payments by card from" in str(first.trace)
    assert run(change, "two").status == "nothing_to_do"
    assert alice.holds(alice.pots[0]) == 40 + 99


def test_a_multiplier_multiplies(alice, bank, run):
    alice.fill(alice.main, 100_00)
    rule = rounding(alice, multiplier=3)
    begin(rule)
    bank.spend(alice.main.external_id, 1_90)

    run(rule)

    assert alice.holds(alice.pots[0]) == 30


def test_a_payment_that_settles_late_counts_when_it_has_settled(
    alice, bank, change, run
):
    late = bank.spend(alice.main.external_id, 2_60, pending=True)
    bank.spend(alice.main.external_id, 4_90)
    run(change, "one")
    assert alice.holds(alice.pots[0]) == 10

    bank.settle(late.id, amount=2_75)
    run(change, "two")
    run(change, "three")

    assert alice.holds(alice.pots[0]) == 10 + 25


@at_every_bank
def test_only_payments_by_card_count(alice, bank, change, run):
    main = alice.main.external_id
    bank.spend(main, 1_10, declined="INSUFFICIENT_FUNDS")
    bank.spend(main, 1_20, pending=True)
    bank.spend(main, 1_30, counterparty="Landlord")
    bank.move(main, alice.pots[1].external_id, 1_40)
    bank.pay(main, 1_50)

    assert run(change).status == "nothing_to_do"


def test_what_was_paid_before_the_rule_does_not_count(alice, bank, run):
    alice.fill(alice.main, 50_00)
    bank.spend(alice.main.external_id, 1_25)
    rule = rounding(alice)
    begin(rule)
    alice.sync()

    assert run(rule).status == "nothing_to_do"


def test_a_change_of_the_rule_neither_loses_nor_repeats_a_payment(
    alice, bank, change, run
):
    bank.spend(alice.main.external_id, 1_25)
    run(change, "one")
    bank.spend(alice.main.external_id, 1_10)
    told = services.rule_data(change) | {"name": "Other"}
    rule = services.write_rule(alice.workspace, told, rule=change)

    run(rule, "two")

    assert alice.holds(alice.pots[0]) == 75 + 90


def test_what_was_refused_counts_again(alice, bank, change, run, orders):
    bank.spend(alice.main.external_id, 1_25)
    bank.fault("refuse", **orders)
    assert run(change, "one").status == "failed"

    assert run(change, "two").status == "succeeded"
    assert alice.holds(alice.pots[0]) == 75
    assert Cover.objects.count() == 1


def test_what_another_run_has_made_good_is_not_made_good_by_a_resume(
    alice, bank, change, run, orders, anna
):
    bank.spend(alice.main.external_id, 1_25)
    bank.fault("refuse", **orders)
    refused = run(change, "one")
    assert run(change, "two").status == "succeeded"

    with pytest.raises(services.NotDecidable):
        services.resume_run(refused.pk, user=anna)
    assert alice.holds(alice.pots[0]) == 75


def test_what_a_resumed_run_makes_good_is_not_made_good_by_the_next(
    alice, bank, change, run, orders, anna
):
    for key, amount in (("one", 1_25), ("two", 1_90)):
        bank.spend(alice.main.external_id, amount)
        bank.fault("refuse", **orders)
        assert run(change, key).status == "failed"

    resumed = services.resume_run(change.runs.get(key="one").pk, user=anna)
    services.execute_run(resumed.pk)
    assert alice.holds(alice.pots[0]) == 75
    run(change, "three")

    assert alice.holds(alice.pots[0]) == 75 + 10


def test_what_may_have_moved_does_not_count_again(alice, bank, change, run, orders):
    bank.spend(alice.main.external_id, 1_25)
    bank.fault("drop_before", **orders)
    assert run(change, "one").status == "running"

    assert run(change, "two").status == "nothing_to_do"


def test_what_is_too_little_to_move_is_kept_for_the_next_time(alice, bank, run):
    alice.fill(alice.main, 100_00)
    rule = rounding(alice, min_move=gbp(1_00))
    begin(rule)
    bank.spend(alice.main.external_id, 1_40)
    assert run(rule, "one").status == "skipped_limit"
    bank.spend(alice.main.external_id, 1_50)

    run(rule, "two")

    assert alice.holds(alice.pots[0]) == 60 + 50


def limited(alice: Person, **more):
    """Alice's rule, which moves at most 0.50 in a run."""
    alice.fill(alice.main, 100_00)
    rule = rounding(alice)
    told = services.rule_data(rule) | {"limits": {"per_run": gbp(50)}, **more}
    rule = services.write_rule(alice.workspace, told, rule=rule)
    begin(rule)
    return Rule.objects.get(pk=rule.pk)


def test_what_a_limit_cuts_is_neither_lost_nor_counted_twice(alice, bank, run):
    rule = limited(alice)
    bank.spend(alice.main.external_id, 1_60)
    bank.spend(alice.main.external_id, 2_10)

    held = []
    for number in range(4):
        last = run(rule, str(number))
        held.append(alice.holds(alice.pots[0]))

    assert held == [50, 100, 130, 130]
    assert last.status == "nothing_to_do"
    assert "£0.30 left over" in str(rule.runs.get(key="2").trace)


def test_preview_simulation_replay_and_run_agree_on_what_a_limit_has_cut(
    alice, bank, run
):
    every_day = [{"kind": "interval", "minutes": 1440}]
    rule = limited(alice, limits={"per_run": gbp(70)}, triggers=every_day)
    bank.spend(alice.main.external_id, 1_60)
    bank.spend(alice.main.external_id, 2_10)
    run(rule, "one")

    typed = services.typed_accounts(rule), {str(alice.main.pk): 100_00}
    plans = [services.preview(rule), services.simulate(rule, *typed)]
    with time_machine.travel(now() + timedelta(days=3)):
        found = services.replay(rule, now() - timedelta(days=2), now())
    second = run(rule, "two")

    assert [move.amount for plan in plans for move in plan.moves] == [60, 60]
    assert [row.total for row in found.rows] == [60, 0]
    assert alice.holds(alice.pots[0]) == 70 + 60
    assert second.plan_hash == plans[0].plan_hash


def test_a_payment_that_comes_after_a_plan_was_approved_is_not_lost(
    alice, bank, run, anna
):
    rule = limited(alice, limits={}, approval="always", tolerance=gbp(2_00))
    bank.spend(alice.main.external_id, 1_60)
    asked = run(rule, "one")
    bank.spend(alice.main.external_id, 2_10)
    services.approve_run(asked.pk, user=anna)
    services.execute_run(asked.pk)
    assert alice.holds(alice.pots[0]) == 40

    (left,) = services.preview(rule).moves

    assert left.amount == 90


def test_another_unit_rounds_no_payment_up_again(alice, bank, change, run):
    bank.spend(alice.main.external_id, 1_60)
    run(change, "one")
    told = services.rule_data(change)
    told["legs"][0]["unit"] = gbp(5_00)
    rule = services.write_rule(alice.workspace, told, rule=change)

    assert run(rule, "two").status == "nothing_to_do"


def test_a_higher_limit_brings_what_the_lower_one_cut(alice, bank, run):
    rule = limited(alice)
    bank.spend(alice.main.external_id, 1_10)
    run(rule, "one")
    told = services.rule_data(rule) | {"limits": {}}
    rule = services.write_rule(alice.workspace, told, rule=rule)

    run(rule, "two")

    assert alice.holds(alice.pots[0]) == 90


def test_transactions_that_were_never_read_are_not_none(alice, change):
    Account.objects.update(movements_read_at=None)

    plan = services.preview(change)

    assert plan.outcome == "skipped_stale"
    assert "Nobody knows what was paid by card" in plan.reason


def test_two_rules_round_up_the_same_payment_each_for_itself(alice, bank, change, run):
    other = rounding(alice)
    begin(other)
    bank.spend(alice.main.external_id, 1_25)

    run(change), run(other)

    assert alice.holds(alice.pots[0]) == 150


def test_the_database_holds_each_payment_to_one_transfer_per_rule(
    alice, bank, change, run
):
    bank.spend(alice.main.external_id, 1_25)
    run(change)
    known = Cover.objects.get()

    with pytest.raises(IntegrityError), transaction.atomic():
        Cover.objects.create(
            rule=known.rule, transaction=known.transaction, transfer=known.transfer
        )
    assert Transfer.objects.get() == known.transfer


def test_a_new_rule_counts_the_whole_day_on_which_it_was_written(alice):
    kept = rounding(alice).legs.get(strategy="round_ups")

    assert kept.created - kept.since < timedelta(days=1)
    assert kept.since.astimezone().utcoffset() is not None
