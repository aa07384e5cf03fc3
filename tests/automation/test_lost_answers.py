"""What the bank may do to an answer, and that no penny moves twice or is lost."""

from __future__ import annotations

import pytest
from django.utils.timezone import now

from automation import services
from automation.models import RuleRun, Transfer

from .conftest import Killed, at_every_bank, die, gbp, leg, sweep

pytestmark = pytest.mark.django_db

ACTED = ["act_then_drop", "act_then_500", "garbage", "truncated", "cut", "nan"]
NOT_ACTED = ["drop_before", "5xx"]


@pytest.mark.parametrize("fault", ACTED + NOT_ACTED)
def test_a_lost_answer_is_unknown_and_nothing_else(
    fault, bank, alice, topup, run, orders
):
    bank.fault(fault, **orders)

    started = run(topup)

    transfer = Transfer.objects.get()
    assert transfer.status == "unknown"
    assert transfer.error_code == "outcome_unknown"
    assert transfer.may_have_moved
    assert started.status == "running"


@at_every_bank
@pytest.mark.parametrize("fault", ACTED + NOT_ACTED)
def test_after_a_lost_answer_the_money_has_moved_exactly_once(
    fault, bank, alice, topup, run, orders, moved, let_time_pass
):
    bank.fault(fault, **orders)
    started = run(topup)
    let_time_pass()
    sweep()

    started.refresh_from_db()
    assert started.status == "succeeded", started.reason
    assert list(moved().values()) == [1]
    assert alice.holds(alice.pots[0]) == 300_00
    assert alice.holds(alice.main) == 700_00


def test_an_answer_lost_five_times_still_moves_once(
    bank, alice, topup, run, orders, moved, let_time_pass
):
    bank.configure(shows_dedupe=False)  # so that asking finds nothing
    bank.fault("act_then_drop", times=5, **orders)
    run(topup)
    for _ in range(6):
        let_time_pass()
        sweep()

    transfer = Transfer.objects.get()
    # The reading shows the money gone, so nothing is sent again: it is asked for.
    assert list(moved().values()) == [1]
    assert alice.holds(alice.pots[0]) == 300_00
    assert transfer.attempts > 1


def test_a_request_that_arrives_late_is_not_repeated_under_another_id(
    bank, sandbox, alice, topup, run, orders, moved, let_time_pass
):
    bank.fault("late_apply", seconds=60, **orders)
    run(topup)
    let_time_pass()
    sweep()
    sandbox.clock.advance(120)

    assert list(moved().values()) == [1]
    assert alice.holds(alice.pots[0]) == 300_00


def test_while_the_outcome_is_unknown_the_amount_is_reserved(
    bank, alice, topup, run, orders
):
    bank.fault("drop_before", **orders)
    run(topup)
    alice.sync()

    seen = services.preview(topup)
    held = {r.account: r.available for r in seen.readings}
    assert held[str(alice.main.pk)] == 700_00


def test_before_it_is_sent_again_the_balance_is_read_again(
    bank, alice, topup, run, orders, moved, let_time_pass
):
    bank.fault("drop_before", **orders)
    run(topup)
    alice.fill(alice.main, 100_00)
    let_time_pass()
    sweep()

    transfer = Transfer.objects.get()
    assert transfer.status == "unknown"
    assert transfer.error_code == "insufficient_funds"
    assert list(moved().values()) == [0]


def test_after_half_the_horizon_it_is_only_read_and_a_person_is_called(
    bank, alice, topup, run, orders, moved, let_time_pass
):
    bank.fault("drop_before", **orders)
    started = run(topup)
    long_ago = now() - 0.6 * services.rows.horizon(alice.connection.provider)
    Transfer.objects.update(first_sent_at=long_ago)
    let_time_pass()
    sweep()

    transfer = Transfer.objects.get()
    assert (transfer.status, transfer.needs_person) == ("unknown", True)
    assert list(moved().values()) == [0]
    started.refresh_from_db()
    assert started.status == "failed"
    assert "person" in started.reason


def test_what_waits_for_a_person_does_not_block_the_account(
    bank, alice, topup, run, orders, let_time_pass
):
    bank.fault("drop_before", **orders)
    run(topup)
    Transfer.objects.update(needs_person=True)
    bank.calm()

    again = run(topup, "two")

    assert again.status == "succeeded", again.reason


def test_what_waits_for_a_person_is_done_once_the_bank_says_so(
    bank, alice, topup, run, orders, moved, let_time_pass
):
    bank.fault("act_then_drop", **orders)
    started = run(topup)
    Transfer.objects.update(needs_person=True)
    let_time_pass()
    sweep()

    transfer = Transfer.objects.get()
    assert (transfer.status, transfer.needs_person) == ("done", False)
    started.refresh_from_db()
    assert started.status == "succeeded"


@pytest.mark.parametrize("fault", ["wrong_amount", "wrong_currency"])
def test_an_answer_that_contradicts_is_never_called_done(
    fault, bank, alice, topup, run, orders, moved
):
    bank.fault(fault, **orders)

    started = run(topup)

    transfer = Transfer.objects.get()
    assert (transfer.status, transfer.needs_person) == ("unknown", True)
    assert transfer.error_code in ("balance_disagrees", "contradiction")
    assert started.status == "failed"
    assert list(moved().values()) == [1]


def test_an_answer_in_another_currency_freezes_the_rule(
    bank, alice, topup, run, orders
):
    bank.fault("wrong_currency", **orders)
    run(topup)

    topup.refresh_from_db()
    assert not topup.enabled


def test_a_rule_that_is_frozen_begins_nothing_more(bank, alice, run, orders, moved):
    alice.fill(alice.main, 100_00)
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source"),
        leg(alice.pots[0], "priority", strategy="fixed", amount=gbp(10_00)),
        leg(alice.pots[1], "priority", order=1, strategy="fixed", amount=gbp(10_00)),
    )
    bank.fault("wrong_currency", **orders)

    run(rule)

    assert sorted(moved().values()) == [0, 1]
    assert Transfer.objects.get(move=1).error_code == "rule_off"


def test_a_worker_that_died_before_it_sent_is_followed_by_another(
    alice, topup, run, moved, let_time_pass, monkeypatch
):
    monkeypatch.setattr(services.sending.Drive, "send", die)
    monkeypatch.setitem(services.sending.ACTIONS, "send", die)
    with pytest.raises(Killed):
        run(topup)
    monkeypatch.undo()
    assert Transfer.objects.get().status == "sending"

    let_time_pass()
    sweep()

    assert RuleRun.objects.get().status == "succeeded"
    assert list(moved().values()) == [1]


def test_what_is_on_its_way_to_a_target_is_lacking_no_more(
    bank, alice, topup, run, orders, let_time_pass
):
    bank.fault("drop_before", **orders)
    first = run(topup, "one")
    assert first.status == "running"

    second = run(topup, "two")
    assert second.status == "nothing_to_do"
    assert "£300.00 is on its way" in str(second.trace)
    held = services.typed_accounts(topup)
    assert (
        services.simulate(topup, held, {}).plan_hash
        == services.preview(topup).plan_hash
    )
    let_time_pass()

    assert services.execute_run(first.pk).status == "succeeded"
    assert alice.holds(alice.pots[0]) == 300_00
