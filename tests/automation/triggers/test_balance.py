"""A balance that crosses a threshold starts one run, also when the news of it is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import TestCase
from django.utils.timezone import now

from accounts import services as accounts
from accounts.models import Balance, BalanceSnapshot
from automation import services
from automation.models import RuleRun, Trigger
from automation.services import RuleInvalid
from automation.services.sights import readings_for
from tests.automation.conftest import Person, gbp
from tests.automation.test_concurrency import at_once

from .conftest import beat, look, look_later

pytestmark = pytest.mark.django_db


def watch(account, **more):
    return {"kind": "balance", "account": str(account.pk), **more}


@pytest.fixture
def above(alice, rule_with):
    """Alice's rule: whenever her account goes above £100, move £10."""
    return rule_with(watch(alice.main, above=gbp(100_00)))


def btc(minor):
    return {"asset": "BTC/8", "minor": str(minor)}


def test_a_crossing_moves_money_at_the_bank_once(alice, above, hear):
    beat()
    alice.fill(alice.main, 100_01)
    hear()

    beat()
    beat()

    assert RuleRun.objects.get().status == "succeeded"
    assert alice.holds(alice.pots[0]) == 10_00


def test_a_balance_at_the_threshold_has_not_crossed_it(alice, above, hear):
    alice.fill(alice.main, 100_00)
    hear()

    assert look() == []


def test_a_balance_that_stays_beyond_starts_nothing_more(alice, above, hear):
    alice.fill(alice.main, 150_00)
    hear()
    assert len(look()) == 1
    alice.fill(alice.main, 200_00)
    hear()

    assert look() == look_later() == []
    assert not Trigger.objects.get().armed


def test_it_fires_again_after_it_came_back(alice, above, hear):
    keys = []
    for amount in (150_00, 100_00, 150_00):
        alice.fill(alice.main, amount)
        hear()
        keys += look()

    assert len(set(keys)) == len(keys) == 2


def test_a_wider_rearm_keeps_a_nervous_balance_from_firing(alice, rule_with, hear):
    rule_with(watch(alice.main, below=gbp(100_00), rearm=gbp(150_00)))
    keys = []
    for amount in (99_00, 120_00, 99_00, 150_00, 99_00):
        alice.fill(alice.main, amount)
        hear()
        keys += look()

    assert len(keys) == 2


def test_lost_news_costs_time_and_nothing_else(alice, above, deaf):
    look()
    alice.fill(alice.main, 150_00)
    deaf()

    assert look() == []
    assert len(look_later()) == 1
    assert look_later() == []


def test_a_crossing_between_two_looks_is_found_in_the_snapshots(alice, above, deaf):
    look()
    for amount in (150_00, 50_00):
        alice.fill(alice.main, amount)
        deaf()

    assert len(look_later()) == 1
    assert Trigger.objects.get().armed


def test_repeated_news_of_one_crossing_is_one_run(alice, above, hear):
    alice.fill(alice.main, 150_00)
    hear()
    keys = look()
    for _ in range(3):
        services.wake_triggers([alice.main.pk])
        keys += look()

    assert len(keys) == 1


def test_an_account_that_nobody_reads_any_more_brings_in_no_others_past(
    alice, rule_with, deaf
):
    quiet = rule_with(watch(alice.pots[1], above=gbp(100_00)))
    rule_with(watch(alice.main, above=gbp(100_00)))
    for amount in (10_00, 20_00, 30_00):
        alice.fill(alice.main, amount)
        deaf()
    look_later()
    long_ago = quiet.created - timedelta(days=300)
    Trigger.objects.filter(rule=quiet).update(seen_at=long_ago)

    passed = readings_for(list(Trigger.objects.all()))

    assert [reading.available for reading in passed[alice.main.pk]] == [30_00]


@pytest.mark.django_db(transaction=True)
def test_many_beats_see_one_crossing_once(alice, above):
    alice.fill(alice.main, 150_00)
    alice.sync()

    started = at_once(lambda _: len(services.dispatch_due_rules()))

    assert sum(started) == RuleRun.objects.count() == 1


def test_an_unknown_balance_decides_nothing(rule_with, typed):
    rule_with(watch(typed, below=btc(5)))

    assert look() == []
    assert Trigger.objects.get().armed


def test_an_account_elsewhere_in_another_asset_moves_money_here(
    alice, rule_with, typed
):
    alice.fill(alice.main, 50_00)
    rule_with(watch(typed, below=btc(1_000_000), rearm=btc(2_000_000)))
    with TestCase.captureOnCommitCallbacks(execute=True):
        accounts.record_typed_balance(typed, 999_999)

    beat()

    assert RuleRun.objects.get().status == "succeeded"
    assert alice.holds(alice.pots[0]) == 10_00


def test_our_own_transfers_count_and_do_not_fire_themselves(alice, rule_with, hear):
    """One rule empties the account; another is woken by that, once."""
    rule_with(watch(alice.main, above=gbp(100_00)))
    pot = rule_with(watch(alice.pots[0], above=gbp(5_00)), pot=1)
    alice.fill(alice.main, 150_00)
    hear()

    for _ in range(4):
        beat()

    runs = RuleRun.objects.order_by("created")
    assert [run.status for run in runs] == ["succeeded", "succeeded"]
    assert runs[1].rule == pot
    assert alice.holds(alice.pots[1]) == 10_00


def test_what_is_beyond_when_the_rule_is_written_fires_once(alice, rule_with, hear):
    alice.fill(alice.main, 150_00)
    hear()
    rule = rule_with(watch(alice.main, above=gbp(100_00)))

    assert len(look()) == 1
    services.write_rule(alice.workspace, services.rule_data(rule), rule=rule)
    assert look() == look_later() == []


def test_it_comes_back_as_it_was_written(alice, rule_with, typed):
    written = watch(typed, above=btc(5), rearm=btc(4))
    (told,) = services.rule_data(rule_with(written))["triggers"]

    amount = {"amount": "0.00000005"}
    assert told == {
        **written,
        "above": written["above"] | amount,
        "rearm": written["rearm"] | {"amount": "0.00000004"},
    }


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"above": gbp(5)}, "above", "wrong_asset"),
        ({"above": None}, "above", "missing_above"),
        ({"rearm": btc(6)}, "rearm", "not_in_order"),
        ({"below": btc(1)}, "below", "not_allowed"),
        ({"account": None}, "account", "missing_account"),
        ({"account": 5}, "account", "unknown_account"),
        (
            {"account": "00000000-0000-4000-8000-000000000000"},
            "account",
            "unknown_account",
        ),
        ({"min_amount": gbp(5)}, "min_amount", "not_allowed"),
        ({"above": 5}, "above", "invalid_amount"),
    ],
)
def test_what_is_wrong_with_it_is_told_at_its_field(
    rule_with, typed, change, field, code
):
    with pytest.raises(RuleInvalid) as refused:
        rule_with({**watch(typed, above=btc(5)), **change})

    found = {problem.field: problem.code for problem in refused.value.problems}
    assert found == {f"triggers.0.{field}": code}


def test_somebody_elses_account_cannot_be_watched(rule_with, typed):
    other = type(typed.workspace).objects.create(name="elsewhere")
    typed.workspace = other
    typed.save()

    with pytest.raises(RuleInvalid) as refused:
        rule_with(watch(typed, above=btc(5)))

    assert refused.value.problems[0].code == "unknown_account"


# -- how old what decides may be


@pytest.fixture
def below(bob, rule_with):
    """Alice's rule: when Bob's account, elsewhere, goes below £50, move £10."""

    def write(**more):
        return rule_with(watch(bob.main, below=gbp(50_00)), **more)

    return write


@pytest.fixture
def bob(bank, workspace):
    bob = Person(bank, workspace, "bob")
    bob.fill(bob.main, 10_00)
    bob.sync()
    return bob


def it_was_read(account, ago: timedelta) -> None:
    """Let the last reading of `account` be that old."""
    then = now() - ago
    Balance.objects.filter(account=account).update(fetched_at=then, as_of=then)


@pytest.mark.parametrize(
    ("seconds", "most", "fires"),
    [(3, 300, True), (290, 300, True), (310, 300, False), (310, 900, True)],
)
def test_a_rule_that_is_written_goes_by_a_balance_that_is_young_enough(
    seconds, most, fires, bob, below
):
    it_was_read(bob.main, timedelta(seconds=seconds))
    below(max_staleness_seconds=most)

    assert len(look()) == fires
    assert Trigger.objects.get().armed != fires


def test_what_was_read_days_ago_decides_nothing_until_it_is_read_again(bob, below):
    it_was_read(bob.main, timedelta(days=3))
    below()
    bob.fill(bob.main, 900_00)  # meanwhile, and nobody has read it

    assert look() == look_later() == []
    bob.sync()
    assert look_later() == []
    assert Trigger.objects.get().armed


@pytest.mark.parametrize("later", [timedelta(minutes=10), timedelta(minutes=14)])
def test_a_sync_that_finds_the_same_again_is_news_for_the_next_look(later, bob, below):
    """Also where looks come at the pace of the syncs, and never soon after one."""
    it_was_read(bob.main, timedelta(days=3))
    below()
    assert look() == []
    with TestCase.captureOnCommitCallbacks(execute=True):
        bob.sync()
    assert not BalanceSnapshot.objects.filter(
        account=bob.main, as_of__gt=Trigger.objects.get().seen_at
    )

    assert len(services.dispatch_due_rules(now() + later)) == 1
    assert look_later() == []


def test_what_is_confirmed_is_news_though_it_is_true_since_longer(bob, below):
    it_was_read(bob.main, timedelta(days=3))
    below(max_staleness_seconds=1)
    assert look() == []
    Balance.objects.filter(account=bob.main).update(fetched_at=now())

    assert len(services.dispatch_due_rules(now() + timedelta(minutes=10))) == 1


def test_a_figure_that_was_found_long_before_the_next_look_decides_nothing(bob, below):
    it_was_read(bob.main, timedelta(days=3))
    below()
    assert look() == []
    bob.sync()

    assert services.dispatch_due_rules(now() + timedelta(minutes=16)) == []
    bob.sync()
    assert len(look_later()) == 1


def test_a_distrusted_balance_decides_nothing_until_it_is_trusted(bob, below):
    below()
    Balance.objects.update(distrusted=True)

    assert look() == look_later() == []
    assert Trigger.objects.get().armed
    bob.sync()
    assert len(look_later()) == 1


def test_an_old_balance_arms_nothing_either(alice, above, hear):
    alice.fill(alice.main, 150_00)
    hear()
    assert len(look()) == 1
    Balance.objects.filter(account=alice.main).update(available=50_00)
    it_was_read(alice.main, timedelta(days=3))

    assert look_later() == []
    assert not Trigger.objects.get().armed


def test_what_a_person_typed_holds_until_the_next_word(rule_with, typed):
    accounts.record_typed_balance(typed, 4)
    it_was_read(typed, timedelta(days=3))
    rule_with(watch(typed, below=btc(5)))

    assert len(look()) == 1
