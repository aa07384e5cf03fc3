"""Conditions of rules that run: on any account, and with another rule instead."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from accounts.models import Balance, SyncRun
from automation import services

from .conftest import Person, gbp, leg, sweep

pytestmark = pytest.mark.django_db


@pytest.fixture
def elsewhere(bank, alice) -> Person:
    """Alice's other connection: none of its accounts is a leg."""
    return Person(bank, alice.workspace, "alice elsewhere")


def sweeping(alice: Person, conditions, **more):
    alice.fill(alice.pots[0], 50_00)
    return alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.main, "target"),
        conditions=conditions,
        **more,
    )


def has(account, op, minor, field="available"):
    return {"account": str(account.pk), "field": field, "op": op, "value": gbp(minor)}


def test_a_balance_of_another_connection_is_read_before_it_decides(
    alice, elsewhere, run
):
    rule = sweeping(alice, {"all": [has(elsewhere.main, ">=", 10_00)]})
    assert run(rule, "one").status == "skipped_condition"
    elsewhere.fill(elsewhere.main, 10_00)  # nobody has told us

    found = run(rule, "two")

    assert found.status == "succeeded"
    assert str(elsewhere.main.pk) in [each["account"] for each in found.readings]
    assert "available: that is at least £10.00" in str(found.trace)
    kinds = SyncRun.objects.filter(connection=elsewhere.connection)
    assert SyncRun.Kind.PRE_AUTOMATION in kinds.values_list("kind", flat=True)


def test_a_balance_that_cannot_be_read_stops_the_rule(alice, elsewhere, bank, run):
    rule = sweeping(alice, {"not": has(elsewhere.main, "<", 0)})
    ago = timedelta(seconds=1000)
    Balance.objects.filter(account=elsewhere.main).update(
        fetched_at=F("fetched_at") - ago, as_of=F("as_of") - ago
    )

    seen = services.preview(rule)

    assert seen.outcome == "skipped_stale"
    assert "Nobody knows whether the conditions hold" in seen.reason


def test_money_that_is_on_its_way_out_is_not_there_any_more(alice, bank, run, orders):
    alice.fill(alice.main, 100_00)
    away = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[1], "target", strategy="fixed", amount=gbp(60_00)),
    )
    bank.fault("drop_before", **orders)
    run(away)
    rule = sweeping(alice, has(alice.main, ">=", 50_00))

    assert services.preview(rule).outcome == "skipped_condition"


def test_the_amount_of_what_made_it_due_decides(alice, run):
    rule = sweeping(alice, {"field": "amount", "op": ">", "value": gbp(5_00)})

    assert run(rule, "one").status == "skipped_condition"
    assert run(rule, "two", kind="transaction", amount=-5_01).status == "succeeded"


def test_a_preview_says_that_another_rule_would_run(alice):
    other = alice.rule(
        "sweep",
        leg(alice.pots[1], "source", strategy="all"),
        leg(alice.main, "target"),
    )
    never = {"field": "date", "op": "<", "value": "2000-01-01", "else": str(other.pk)}
    rule = sweeping(alice, never)

    seen = services.preview(rule)

    assert (seen.outcome, seen.instead) == ("skipped_condition", str(other.pk))


def test_where_conditions_do_not_hold_the_other_rule_runs_once(alice, run):
    alice.fill(alice.pots[1], 30_00)
    other = alice.rule(
        "sweep",
        leg(alice.pots[1], "source", strategy="all"),
        leg(alice.main, "target"),
    )
    rule = sweeping(alice, has(alice.main, "<", 0) | {"else": str(other.pk)})

    found = run(rule)
    services.execute_run(found.pk)
    sweep()

    assert found.status == "skipped_condition"
    assert "another rule runs instead" in found.reason
    assert other.runs.get().status == "succeeded"
    assert (alice.holds(alice.pots[0]), alice.holds(alice.main)) == (50_00, 30_00)


def test_old_readings_are_asked_about_where_the_rule_wants_it(alice, bank, run):
    alice.fill(alice.main, 50_00)
    alice.sync()
    rule = alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="all", keep=gbp(10_00)),
        leg(alice.pots[0], "target"),
        on_stale="ask",
    )
    ago = timedelta(seconds=60)
    Balance.objects.update(fetched_at=F("fetched_at") - ago, as_of=F("as_of") - ago)
    bank.fault("drop_before", times=None)

    found = run(rule)

    assert found.status == "awaiting_approval"
    assert [move["money"]["minor"] for move in found.moves] == ["4000"]
    assert alice.holds(alice.pots[0]) == 0


def test_every_pot_with_a_goal_gets_its_part(alice, bank, run):
    alice.fill(alice.main, 1000_00)
    for pot, goal in zip(alice.pots, (900_00, 50_00, 700_00), strict=True):
        bank.do("amend", id=pot.external_id, goal=goal)
    alice.sync()
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source"),
        leg(alice.pots[2], "goal", strategy="to_target", max_share="0.5"),
        {"accounts": "all_with_goal", "role": "goal", "strategy": "to_target"},
    )

    found = run(rule)

    assert found.status == "succeeded"
    assert [alice.holds(pot) for pot in alice.pots] == [200_00, 50_00, 500_00]


def test_a_goal_that_appears_later_is_filled_too(alice, bank, run):
    alice.fill(alice.main, 100_00)
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source"),
        {"accounts": "all_with_goal", "role": "goal", "strategy": "to_target"},
    )
    assert run(rule, "one").status == "nothing_to_do"
    bank.do("amend", id=alice.pots[0].external_id, goal=900_00)

    assert run(rule, "two").status == "succeeded"
    assert alice.holds(alice.pots[0]) == 20_00
