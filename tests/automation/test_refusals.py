"""What the bank or a person may do between plan and send, and that a row says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils.timezone import now

from accounts.models import Balance
from automation import services
from automation.models import RuleRun, Transfer

from .conftest import Killed, die, gbp, going_once_money_left, leg, sweep

pytestmark = pytest.mark.django_db


def an_hour_passes():
    hour = timedelta(hours=1)
    Balance.objects.update(fetched_at=F("fetched_at") - hour, as_of=F("as_of") - hour)


def change_between_plan_and_send(monkeypatch, change):
    original = services.runs.drive

    def drive(run, steps):
        change()
        return original(run, steps)

    monkeypatch.setattr(services.runs, "drive", drive)


@pytest.mark.parametrize("fact", ["deleted", "closed"])
def test_an_account_that_ends_between_plan_and_send_is_refused_by_name(
    fact, bank, alice, topup, run, moved, monkeypatch
):
    account = alice.pots[0] if fact == "deleted" else alice.main
    change_between_plan_and_send(
        monkeypatch, lambda: bank.do("amend", id=account.external_id, **{fact: True})
    )

    done = run(topup)

    transfer = Transfer.objects.get()
    assert (transfer.status, transfer.error_code) == ("refused", "account_unusable")
    assert done.status == "failed"
    assert alice.holds(alice.main) == 1000_00


def test_a_pot_locked_between_plan_and_send_keeps_its_money(
    bank, alice, run, monkeypatch
):
    alice.fill(alice.pots[0], 50_00)
    rule = alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.main, "target"),
    )
    change_between_plan_and_send(
        monkeypatch,
        lambda: bank.do("amend", id=alice.pots[0].external_id, locked=True),
    )

    assert run(rule).status == "failed"
    assert Transfer.objects.get().error_code == "account_unusable"
    assert alice.holds(alice.pots[0]) == 50_00


def test_one_refused_leg_does_not_stop_the_others(bank, alice, run, monkeypatch):
    alice.fill(alice.main, 100_00)
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source"),
        leg(alice.pots[0], "priority", strategy="fixed", amount=gbp(10_00)),
        leg(alice.pots[1], "priority", order=1, strategy="fixed", amount=gbp(20_00)),
    )
    change_between_plan_and_send(
        monkeypatch,
        lambda: bank.do("amend", id=alice.pots[0].external_id, deleted=True),
    )

    done = run(rule)

    assert done.status == "partial"
    assert "1 of 2" in done.reason
    assert alice.holds(alice.pots[1]) == 20_00


def test_money_spent_between_plan_and_send_is_not_overdrawn(
    bank, alice, topup, run, moved, monkeypatch
):
    change_between_plan_and_send(monkeypatch, lambda: alice.fill(alice.main, 50_00))

    run(topup)

    assert list(moved().values()) == [0]
    assert alice.holds(alice.main) == 50_00
    assert Transfer.objects.get().error_code == "insufficient_funds"


def test_a_rate_limit_is_waited_out_and_not_lost(
    bank, alice, topup, run, orders, moved, let_time_pass
):
    bank.fault("429", seconds=1, **orders)
    started = run(topup)

    transfer = Transfer.objects.get()
    assert (transfer.status, transfer.error_code) == ("pending", "rate_limited")
    assert not transfer.may_have_moved
    let_time_pass()
    sweep()
    started.refresh_from_db()
    assert started.status == "succeeded"
    assert list(moved().values()) == [1]


def test_an_expired_token_is_renewed_in_the_middle_of_a_run(
    bank, alice, topup, run, moved, monkeypatch
):
    change_between_plan_and_send(
        monkeypatch, lambda: bank.do("expire", name=alice.customer.name)
    )

    assert run(topup).status == "succeeded"
    assert list(moved().values()) == [1]


def test_without_permission_nothing_moves_and_the_row_says_why(
    bank, alice, topup, run, moved, monkeypatch
):
    change_between_plan_and_send(
        monkeypatch, lambda: bank.do("revoke", name=alice.customer.name)
    )

    run(topup)

    transfer = Transfer.objects.get()
    assert (transfer.status, transfer.error_code) == ("pending", "consent_needed")
    assert list(moved().values()) == [0]


def test_a_bank_that_is_away_means_stale_and_not_zero(bank, alice, topup, run):
    bank.fault("drop_before", times=None)
    an_hour_passes()

    done = run(topup)

    assert done.status == "skipped_stale"
    assert not Transfer.objects.exists()
    assert Balance.objects.get(account=alice.main).error


def test_a_reading_of_before_the_clock_was_put_back_is_not_taken_for_new(
    bank, alice, topup, run
):
    alice.sync()
    Balance.objects.update(fetched_at=now() + timedelta(hours=1))
    bank.fault("drop_before", times=None)

    done = run(topup)

    assert done.status == "skipped_stale"
    assert not Transfer.objects.exists()


def test_a_scheduled_run_tries_again_while_the_bank_is_away(
    bank, alice, topup, run, let_time_pass
):
    bank.fault("drop_before", times=None)
    an_hour_passes()
    waiting = run(topup, kind="daily")
    assert (waiting.status, waiting.attempts) == ("due", 0)
    assert "old" in waiting.reason
    bank.calm()
    let_time_pass()
    sweep()

    waiting.refresh_from_db()
    assert waiting.status == "succeeded"


def test_a_plan_too_old_is_not_sent(bank, alice, topup, run, orders, let_time_pass):
    bank.fault("429", seconds=1, **orders)
    started = run(topup)
    Transfer.objects.update(expires_at=started.created)
    let_time_pass()
    sweep()

    transfer = Transfer.objects.get()
    assert transfer.status == "expired"
    started.refresh_from_db()
    assert started.status == "failed"
    assert alice.holds(alice.pots[0]) == 0


def test_the_second_step_impossible_brings_the_money_back(
    bank, alice, run, monkeypatch, moved
):
    alice.fill(alice.pots[0], 80_00)
    alice.fill(alice.main, 5_00)
    rule = alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.pots[1], "target"),
    )
    change_between_plan_and_send(
        monkeypatch,
        lambda: bank.do("amend", id=alice.pots[1].external_id, deleted=True),
    )

    done = run(rule)

    assert done.status == "failed", done.reason
    states = Transfer.objects.order_by("step").values_list("status", flat=True)
    assert list(states) == ["reversed", "refused", "done"]
    assert alice.holds(alice.pots[0]) == 80_00
    assert alice.holds(alice.main) == 5_00
    assert sorted(moved().values()) == [0, 1, 1]


def test_money_that_cannot_go_back_either_is_stranded_in_sight(bank, alice, run):
    alice.fill(alice.pots[0], 80_00)
    rule = alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.pots[1], "target"),
    )

    with going_once_money_left(bank, *alice.pots[:2]):
        done = run(rule)

    assert done.status == "stranded"
    stranded = Transfer.objects.get(step=2)
    assert (stranded.status, stranded.needs_person) == ("stranded", True)


def test_a_run_that_kills_its_workers_is_quarantined(
    alice, topup, run, let_time_pass, monkeypatch
):
    monkeypatch.setattr(services.planning, "sync", die)
    started, _ = services.start_run(topup, "poison", trigger_kind="daily")
    for _ in range(5):
        with pytest.raises(Killed):
            services.execute_run(started.pk)
        let_time_pass()
    services.execute_run(started.pk)

    assert RuleRun.objects.get().status == "quarantined"
