from __future__ import annotations

import pytest

from accounts.models import SyncRun
from automation import services
from automation.models import RuleRun, Transfer

from .conftest import gbp, leg

pytestmark = pytest.mark.django_db


def test_a_topup_moves_what_the_pot_lacks(alice, topup, run):
    done = run(topup)

    assert done.status == "succeeded", done.reason
    assert alice.holds(alice.pots[0]) == 300_00
    assert alice.holds(alice.main) == 700_00
    (transfer,) = Transfer.objects.all()
    assert (transfer.status, transfer.verified) == ("done", True)


def test_the_balances_follow_the_banks_answer(alice, topup, run):
    run(topup)

    main, pot = (a.balance for a in (alice.main, alice.pots[0]))
    main.refresh_from_db(), pot.refresh_from_db()
    assert (main.available, pot.total) == (700_00, 300_00)


def test_a_run_keeps_what_it_read_decided_and_moved(alice, topup, run):
    done = run(topup)

    held = {r["account"]: r["available"]["minor"] for r in done.readings}
    assert held[str(alice.main.pk)] == "100000"
    assert [m["money"]["minor"] for m in done.moves] == ["30000"]
    assert done.trace and done.plan_hash


def test_a_run_syncs_each_connection_once(alice, topup, run):
    run(topup)

    assert SyncRun.objects.filter(kind="pre_automation").count() == 1


def test_the_same_key_is_the_same_run(topup, run):
    first = run(topup)
    again, created = services.start_run(topup, "one", trigger_kind="manual")

    assert (again.pk, created) == (first.pk, False)
    services.execute_run(again.pk)
    assert Transfer.objects.count() == 1


def test_nothing_to_do_leaves_a_reason(alice, topup, run):
    run(topup)
    second = run(topup, "two")

    assert second.status == "nothing_to_do"
    assert "enough" in second.reason
    assert second.trace


def test_an_autosort_sends_its_legs_in_order(alice, run):
    alice.fill(alice.main, 1000_00)
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source", keep=gbp(100_00)),
        leg(alice.pots[0], "priority", strategy="fixed", amount=gbp(150_00)),
        leg(alice.pots[1], "investment", order=1, strategy="share", share="0.70"),
        leg(alice.pots[2], "investment", order=2, strategy="equal"),
    )

    done = run(rule)

    assert done.status == "succeeded", done.reason
    assert [alice.holds(p) for p in alice.pots] == [150_00, 525_00, 225_00]
    sent = Transfer.objects.order_by("sent_at").values_list("move", flat=True)
    assert list(sent) == [0, 1, 2]


def test_a_sweep_between_pots_goes_through_their_account(alice, run):
    alice.fill(alice.pots[0], 80_00)
    before = alice.holds(alice.main)
    rule = alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.pots[1], "target"),
    )

    done = run(rule)

    assert done.status == "succeeded", done.reason
    assert alice.holds(alice.pots[1]) == 80_00
    assert alice.holds(alice.main) == before
    first, second = Transfer.objects.order_by("step")
    assert second.depends_on == first


def test_a_disabled_rule_says_so_and_moves_nothing(topup, run):
    topup.enabled = False
    topup.save()

    assert run(topup).status == RuleRun.Status.SKIPPED_DISABLED
    assert not Transfer.objects.exists()


def test_preview_moves_nothing_and_agrees_with_the_run(alice, topup, run):
    seen = services.preview(topup, refresh=True)
    assert not RuleRun.objects.exists()

    done = run(topup)
    assert seen.plan_hash == done.plan_hash
