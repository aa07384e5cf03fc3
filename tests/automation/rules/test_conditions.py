"""What must be so before a rule moves money, also where nobody knows."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from itertools import product

import pytest

from automation.rules import Holding, plan
from automation.rules.conditions import OPERATORS, judge
from automation.rules.terms import Compare, Conditions, Group

from .words import NOW, current, known, leg, moved, planned, pot, rule, said

MOVE = rule("sweep", leg("p", "source", "all"), leg("main", "target"))
COINS = Holding("coins", "Coins", "BTC/8", 5, 0, total=7)
HOUSE = (pot("p", 500), current(100, total=120), COINS)


def when(test, otherwise=""):
    return dataclasses.replace(MOVE, conditions=Conditions(test, otherwise))


def has(op, value, account="main", field="available", asset="GBP/2"):
    return Compare(field, op, value, account, asset)


YES, NO, UNKNOWN = has(">", 0), has("<", 0), has(">", 0, "nobody")


@pytest.mark.parametrize(
    ("test", "outcome"),
    [
        (YES, "planned"),
        (NO, "skipped_condition"),
        (UNKNOWN, "skipped_stale"),
        (Group("all", (YES, YES)), "planned"),
        (Group("all", (YES, UNKNOWN)), "skipped_stale"),
        (Group("all", (UNKNOWN, NO)), "skipped_condition"),
        (Group("any", (NO, UNKNOWN)), "skipped_stale"),
        (Group("any", (UNKNOWN, YES)), "planned"),
        (Group("not", (NO,)), "planned"),
        (Group("not", (YES,)), "skipped_condition"),
        (Group("not", (UNKNOWN,)), "skipped_stale"),
        (Group("not", (Group("all", (NO, UNKNOWN)),)), "planned"),
    ],
)
def test_the_unknown_counts_only_where_the_result_depends_on_it(test, outcome):
    found = planned(when(test), *HOUSE)

    assert found.outcome == outcome
    assert bool(found.moves) == (outcome == "planned")


ANSWERS = [True, False, None]


@pytest.mark.parametrize("answers", list(product(ANSWERS, repeat=3)))
def test_judging_is_what_is_true_however_the_unknown_turns_out(answers):
    tests = [Compare("date", "=", date(2026, 1, n)) for n in (1, 2, 3)]
    tree = Group("any", (Group("all", tests[:2]), Group("not", (tests[2],))))
    possible = {
        judge(tree, dict(zip(tests, certain, strict=True)).__getitem__)
        for certain in product([True, False], repeat=3)
        if all(a in (None, c) for a, c in zip(answers, certain, strict=True))
    }

    found = judge(tree, dict(zip(tests, answers, strict=True)).__getitem__)

    # No comparison stands twice, so Kleene's answer is the best there is.
    assert found == (possible.pop() if len(possible) == 1 else None)


@pytest.mark.parametrize(
    ("op", "holds"),
    [
        ("<", {5: False, 6: True}),
        ("<=", {4: False, 5: True}),
        ("=", {4: False, 5: True, 6: False}),
        ("!=", {4: True, 5: False}),
        (">=", {5: True, 6: False}),
        (">", {4: True, 5: False}),
    ],
)
def test_each_operator_on_a_balance_of_another_asset(op, holds):
    for value, moves in holds.items():
        test = has(op, value, "coins", asset="BTC/8")
        assert bool(planned(when(test), *HOUSE).moves) == moves
    assert op in OPERATORS


def test_total_and_available_are_not_the_same():
    assert planned(when(has("=", 120, field="total")), *HOUSE).moves
    assert planned(when(has("=", 100)), *HOUSE).moves


@pytest.mark.parametrize(
    "facts",
    [
        {"available": None},
        {"age_seconds": 301},
        {"age_seconds": None},
        {"closed": True},
        {"asset": "EUR/2"},
        {"field": "total"},  # nobody said what it holds in all
    ],
)
def test_a_balance_that_nobody_can_vouch_for_is_unknown(facts):
    field = facts.pop("field", "available")
    held = dataclasses.replace(pot("other", 9), **facts)

    found = planned(when(has(">", 0, "other", field)), *HOUSE, held)

    assert found.outcome == "skipped_stale"
    assert "Nobody knows whether the conditions hold: " in found.reason


def test_a_typed_balance_holds_until_the_next_one():
    held = pot("other", 9, age_seconds=10**7, source="manual")

    assert planned(when(has(">", 0, "other")), *HOUSE, held).moves


def test_today_is_the_date_in_the_rules_own_zone():
    test = Compare("date", "=", date(2026, 6, 2))
    late = datetime(2026, 6, 1, 23, 30, tzinfo=UTC)
    london = dataclasses.replace(when(test), timezone="Europe/London")

    assert plan(london, known(*HOUSE), now=late).moves
    assert not plan(when(test), known(*HOUSE), now=late).moves


def test_the_amount_is_that_of_the_transaction_that_made_it_due():
    spec = when(Compare("amount", ">=", 1000, asset="GBP/2"))

    assert planned(spec, *HOUSE, amount=1000).moves
    assert not planned(spec, *HOUSE, amount=999).moves


def test_without_a_transaction_no_condition_on_its_amount_holds():
    test = Compare("amount", ">", 1, asset="GBP/2")

    found = planned(when(test), *HOUSE)

    assert found.outcome == "skipped_condition"
    assert "No transaction made this run due" in said(found)
    assert planned(when(Group("not", (test,))), *HOUSE).moves


def test_where_they_do_not_hold_another_rule_may_run_instead():
    assert planned(when(NO, "rule-2"), *HOUSE).instead == "rule-2"
    assert planned(when(YES, "rule-2"), *HOUSE).instead == ""
    assert planned(when(UNKNOWN, "rule-2"), *HOUSE).instead == ""


def test_where_they_are_looked_at_again_nothing_runs_instead():
    """No window is tried on a later day than that."""
    tomorrow = date(2026, 12, 21)

    found = planned(when(NO, "rule-2"), *HOUSE, later=tomorrow)

    assert (found.outcome, found.instead) == ("skipped_condition", "")
    assert found.reason.endswith("do not hold: they are looked at again on 2026-12-21")
    assert planned(when(YES, "rule-2"), *HOUSE, later=tomorrow).moves


def test_the_trace_tells_every_comparison_and_what_came_of_it():
    found = planned(when(Group("any", (NO, has(">=", 50)))), *HOUSE)

    assert [step.text for step in found.trace[:3]] == [
        "Main has £1.00 available: that is not below £0.00",
        "Main has £1.00 available: that is at least £0.50",
        "The conditions hold",
    ]


def test_protection_is_the_graver_reason_only_where_it_stops_everything():
    spec = dataclasses.replace(
        when(NO, "rule-2"),
        legs=(*MOVE.legs, leg("q", "source", "all", order=1)),
    )
    q = pot("q", 5, protected=True)
    free, shut = pot("p", 500), pot("p", 500, protected=True)

    assert planned(spec, free, current(100), q).outcome == "skipped_condition"
    found = planned(spec, shut, current(100), q)

    assert (found.outcome, found.instead) == ("skipped_protected", "")


def test_conditions_go_before_what_is_stale_and_after_disabled():
    stale = [pot("p", None), current(100)]

    assert planned(when(NO), *stale).outcome == "skipped_condition"
    off = dataclasses.replace(when(NO), enabled=False)
    assert planned(off, *HOUSE).outcome == "skipped_disabled"


def test_accounts_that_are_no_legs_are_among_the_readings_and_in_the_hash():
    spec = when(Group("any", (has("<", 9, "coins", asset="BTC/8"), YES)))

    found = planned(spec, *HOUSE)
    richer = dataclasses.replace(COINS, total=8)

    assert [held.account for held in found.readings] == ["p", "main", "coins"]
    assert found.moves == planned(MOVE, *HOUSE).moves
    assert moved(found) == {"p>main": 500}
    other = planned(spec, *HOUSE[:2], richer)
    assert other.plan_hash != found.plan_hash
    assert planned(spec, *HOUSE).plan_hash == found.plan_hash


def test_an_amount_that_changes_no_move_changes_no_hash():
    spec = when(Group("any", (YES, Compare("amount", ">", 5, asset="GBP/2"))))

    shown, due = planned(spec, *HOUSE), planned(spec, *HOUSE, amount=9)

    assert shown.plan_hash == due.plan_hash


def test_a_plan_that_conditions_stop_needs_no_balance_of_its_legs():
    found = plan(when(NO), known(current(100)), now=NOW)

    assert found.outcome == "skipped_condition"
