"""Each transaction that fits starts one run; our own transfers start none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts.models import Transaction
from automation import services
from automation.models import RuleRun
from tests.automation.conftest import at_every_bank, gbp

from .conftest import beat, look, look_later

pytestmark = pytest.mark.django_db


def each(**more):
    return {"kind": "transaction", **more}


@at_every_bank
def test_each_transaction_starts_one_run_that_knows_its_amount(
    alice, bank, rule_with, hear
):
    rule_with(each(merchant="beans"))
    alice.fill(alice.main, 100_00)
    for _ in range(2):
        bank.spend(alice.main.external_id, 3_50, merchant="Beans")
    bank.spend(alice.main.external_id, 3_50, merchant="Leaves")
    hear()

    beat()
    beat()

    runs = RuleRun.objects.all()
    assert [(run.status, run.amount) for run in runs] == [("succeeded", -3_50)] * 2
    assert alice.holds(alice.pots[0]) == 20_00
    assert look_later() == []


def test_money_in_counts_as_well(alice, bank, rule_with, hear):
    rule_with(each(min_amount=gbp(50_00), max_amount=gbp(60_00)))
    for amount in (49_99, 50_00, 60_00, 60_01):
        bank.pay(alice.main.external_id, amount)
    hear()
    look()

    amounts = RuleRun.objects.order_by("amount").values_list("amount", flat=True)
    assert list(amounts) == [50_00, 60_00]


def test_the_run_says_when_the_transaction_settled(alice, bank, rule_with, hear):
    rule_with(each())
    bank.pay(alice.main.external_id, 50_00)
    hear()
    look()

    row = Transaction.objects.get(amount=50_00)
    run = RuleRun.objects.get()
    assert run.happened_at == row.settled
    assert run.key == f"transaction:{alice.main.pk}:{row.external_id}"


@at_every_bank
def test_a_pending_payment_waits_until_it_is_settled(alice, bank, rule_with, deaf):
    alice.fill(alice.main, 100_00)
    deaf()
    rule_with(each(max_amount=gbp(9_00)))
    entry = bank.spend(alice.main.external_id, 5_00, pending=True)
    deaf()
    assert look_later() == []

    bank.settle(entry.id, amount=4_00)
    deaf()

    assert len(look_later()) == 1
    assert RuleRun.objects.get().amount == -4_00


def test_a_declined_payment_starts_nothing(alice, bank, rule_with, hear):
    rule_with(each())
    bank.spend(alice.main.external_id, 5_00, declined="INSUFFICIENT_FUNDS")
    hear()

    assert look() == look_later() == []


def test_what_rules_and_people_move_between_pots_starts_nothing(
    alice, bank, rule_with, hear
):
    alice.fill(alice.main, 100_00)
    hear()
    rule_with(each())
    by_hand = rule_with(pot=1)
    bank.move(alice.main.external_id, alice.pots[2].external_id, 5_00)

    run, _ = services.start_run(by_hand, "now", trigger_kind="manual")
    assert services.execute_run(run.pk).status == "succeeded"
    hear()

    assert look() == look_later() == []


def test_what_settled_before_the_rule_was_written_is_left_alone(
    alice, bank, rule_with, hear
):
    bank.pay(alice.main.external_id, 50_00)
    hear()
    rule_with(each())

    assert look() == []


def test_what_is_older_than_the_look_back_is_left_alone(alice, bank, rule_with, hear):
    rule = rule_with(each(look_back_days=2))
    rule.triggers.update(seen_at=now() - timedelta(days=30))
    bank.pay(alice.main.external_id, 50_00)
    hear()
    old = now() - timedelta(days=2, seconds=5)
    Transaction.objects.update(created=old, settled=old)

    assert look() == []


def test_a_rule_that_was_off_catches_nothing_up(alice, bank, rule_with, hear):

    rule = rule_with(each())
    told = services.rule_data(rule)
    services.write_rule(alice.workspace, told | {"enabled": False}, rule=rule)
    bank.pay(alice.main.external_id, 50_00)
    hear()
    services.write_rule(alice.workspace, told, rule=rule)

    assert look() == look_later() == []


def test_a_rule_that_is_rewritten_loses_nothing(alice, bank, rule_with, hear):

    rule = rule_with(each())
    bank.pay(alice.main.external_id, 50_00)
    hear()
    told = services.rule_data(rule) | {"name": "Other"}
    services.write_rule(alice.workspace, told, rule=rule)

    assert len(look()) == 1


def test_a_payment_that_settles_is_seen_at_once_though_no_balance_changes(
    alice, bank, rule_with, hear
):
    """The bank takes a pending payment off the balance when it is made."""
    alice.fill(alice.main, 100_00)
    hear()
    rule_with(each(max_amount=gbp(9_00)))
    entry = bank.spend(alice.main.external_id, 5_00, pending=True)
    hear()
    assert look() == []
    held = alice.account(alice.main.external_id).balance.available

    bank.settle(entry.id)
    hear()

    assert alice.account(alice.main.external_id).balance.available == held
    assert len(look()) == 1
    hear()  # what was read before is no news
    assert look() == []
