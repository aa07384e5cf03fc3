from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from automation.rules import (
    KINDS,
    Holding,
    Limits,
    Move,
    RuleError,
    RuleSpec,
    dedupe_id,
    plan,
)
from automation.rules.grammar import GRAMMAR

from .words import NOW, current, known, leg, moved, planned, pot, rule, said


def three(limits=None, **words):
    """A sweep of three pots of 100.00 each into one."""
    legs = [leg(name, "source", "all", order=n) for n, name in enumerate("abc")]
    spec = rule("sweep", *legs, leg("to", "target"), limits=limits, **words)
    return planned(spec, *(pot(name, 10000) for name in "abc"), pot("to"))


def amounts(found):
    return [move.amount for move in found.moves]


# Limits


@pytest.mark.parametrize(
    ("limits", "moves"),
    [
        (Limits(), [10000, 10000, 10000]),
        (Limits(per_move=4000), [4000, 4000, 4000]),
        (Limits(per_run=15000), [10000, 5000]),
        (Limits(per_day=15000, spent_today=3000), [10000, 2000]),
        (Limits(per_rule=50000, spent_ever=45000), [5000]),
        (Limits(per_run=15000, min_move=6000), [10000]),
        (Limits(per_run=20000, per_move=9000), [9000, 9000, 2000]),
        (Limits(spent_today=10**9, spent_ever=10**9), [10000, 10000, 10000]),
    ],
)
def test_limits_trim_in_order_and_the_trace_says_so(limits, moves):
    found = three(limits)

    assert amounts(found) == moves
    assert any(step.step == "limit" for step in found.trace) == (sum(moves) < 30000)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(per_move=0),
        Limits(per_run=0),
        Limits(per_day=100, spent_today=100),
        Limits(per_day=100, spent_today=200),
        Limits(per_rule=100, spent_ever=100),
        Limits(min_move=10001),
    ],
)
def test_nothing_left_by_the_limits_is_skipped_limit(limits):
    found = three(limits)

    assert (found.moves, found.outcome) == ((), "skipped_limit")


def test_round_to_rounds_each_move_down_and_the_cut_stays():
    found = three(Limits(per_move=2999), round_to=500)

    assert amounts(found) == [2500, 2500, 2500]
    assert "£29.99 is rounded down to £25.00" in said(found)


def test_min_move_is_the_greater_of_leg_and_rule_and_looks_at_the_rounded_move():
    spec = rule(
        "sweep",
        leg("a", "source", "all", order=1, min_move=300),
        leg("b", "source", "all", order=2),
        leg("to", "target"),
        limits=Limits(min_move=200),
        round_to=100,
    )

    found = planned(spec, pot("a", 299), pot("b", 299), pot("to"))

    assert moved(found) == {"b>to": 200}


# Freshness


OUT = rule("sweep", leg("main", "source", "all"), leg("p", "target"))
IN = rule("topup", leg("p", "source"), leg("main", "target", "fixed", amount=10))
CAREFUL = rule(
    "sweep",
    leg("main", "source", "all", floor=1000),
    leg("p", "target"),
    on_stale="use_floor",
)


@pytest.mark.parametrize(
    ("age", "outcome"),
    [(0, "planned"), (5, "planned"), (6, "skipped_stale"), (None, "skipped_stale")],
)
def test_money_leaves_a_current_account_on_a_reading_of_five_seconds_at_most(
    age, outcome
):
    found = planned(OUT, current(500, age_seconds=age), pot("p"))

    assert found.outcome == outcome


@pytest.mark.parametrize(
    ("age", "most", "outcome"),
    [
        (300, 300, "planned"),
        (301, 300, "skipped_stale"),
        (900, 900, "planned"),
        (4, 3, "skipped_stale"),
    ],
)
def test_a_pot_may_be_as_old_as_max_staleness_allows(age, most, outcome):
    spec = dataclasses.replace(IN, max_staleness_seconds=most)

    found = planned(spec, current(0), pot("p", 500, age_seconds=age))

    assert found.outcome == outcome


def test_a_preview_takes_an_older_reading_and_says_that_a_run_reads_again():
    found = planned(OUT, current(500, age_seconds=200), pot("p"), preview=True)

    assert found.outcome == "planned"
    assert "200 s old; a run reads it again first" in said(found)


def test_an_age_that_nobody_wrote_down_follows_from_as_of():
    fresh = current(500, age_seconds=None, as_of=NOW - timedelta(seconds=5))
    old = current(500, age_seconds=None, as_of=NOW - timedelta(seconds=6))

    assert planned(OUT, fresh, pot("p")).outcome == "planned"
    assert planned(OUT, old, pot("p")).outcome == "skipped_stale"


@pytest.mark.parametrize(
    ("age", "drop", "moves"),
    [
        (5, 4000, 9000),  # live: the drop does not matter
        (6, 4000, 5000),
        (300, 0, 9000),
        (300, 9000, 0),
        (301, 0, 0),
    ],
)
def test_use_floor_spends_an_older_reading_less_floor_and_largest_drop(
    age, drop, moves
):
    found = planned(
        CAREFUL, current(10000, age_seconds=age, largest_drop=drop), pot("p")
    )

    assert sum(amounts(found)) == moves


def test_on_an_older_reading_the_drop_is_taken_off_the_floor_and_what_is_kept_stays():
    spec = rule(
        "sweep",
        leg("main", "source", "above", keep=500, floor=200),
        leg("p", "target"),
        on_stale="use_floor",
    )

    def given(drop):
        old = current(1000, age_seconds=60, largest_drop=drop)
        return sum(amounts(planned(spec, old, pot("p"))))

    assert [given(drop) for drop in (0, 300, 301, 900)] == [500, 500, 499, 0]


# Precedence


@pytest.mark.parametrize(
    ("facts", "words", "outcome"),
    [
        ({"protected": True}, {"enabled": False}, "skipped_disabled"),
        (
            {"protected": True, "available": None, "closed": True},
            {},
            "skipped_protected",
        ),
        ({"available": None, "closed": True}, {}, "skipped_stale"),
        ({"closed": True, "available": 0}, {}, "skipped_closed"),
        ({"available": 0}, {"limits": Limits(per_run=0)}, "skipped_funds"),
        ({"available": 9}, {"limits": Limits(per_run=0)}, "skipped_limit"),
    ],
)
def test_outcomes_have_the_precedence_of_the_contract(facts, words, outcome):
    spec = rule("sweep", leg("a", "source", "all"), leg("to", "target"), **words)

    found = planned(spec, pot("a", **facts), pot("to"))

    assert (found.outcome, found.moves) == (outcome, ())
    assert found.reason


def test_the_gravest_of_several_bad_legs_names_the_outcome():
    legs = [leg(name, "source", "all", order=n) for n, name in enumerate("abc")]
    spec = rule("sweep", *legs, leg("to", "target"))

    found = planned(
        spec, pot("a", 0), pot("b", None), pot("c", 5, protected=True), pot("to")
    )

    assert found.outcome == "skipped_protected"
    assert found.reason == "c is protected: no money moves in or out"


def test_a_disabled_rule_is_previewed_and_says_that_it_is_disabled():
    spec = dataclasses.replace(OUT, enabled=False)

    assert planned(spec, current(500), pot("p")).outcome == "skipped_disabled"
    found = planned(spec, current(500), pot("p"), preview=True)

    assert (found.outcome, amounts(found)) == ("planned", [500])
    assert found.reason.startswith("This rule is disabled. ")


def test_money_between_pots_does_not_pass_through_a_protected_account():
    spec = rule("sweep", leg("a", "source", "all"), leg("to", "target"))

    found = planned(spec, pot("a", 9), pot("to"), current(protected=True))

    assert (found.outcome, found.moves) == ("skipped_protected", ())
    assert planned(spec, pot("a", 9), pot("to"), current()).outcome == "planned"


def test_an_account_that_was_never_read_is_shown_as_unknown_not_as_zero():
    found = planned(OUT, current(500))

    assert found.outcome == "skipped_stale"
    assert found.readings[1].available is None


# The plan itself


def test_readings_are_those_of_the_legs_in_their_order():
    found = planned(OUT, pot("p", 7), current(500), pot("other", 1))

    assert [(held.account, held.available) for held in found.readings] == [
        ("main", 500),
        ("p", 7),
    ]


def test_the_hash_binds_rule_moves_and_balances_but_not_ages():
    first = planned(OUT, current(500), pot("p"))
    again = planned(OUT, current(500, age_seconds=3, source="cache"), pot("p"))
    richer = planned(OUT, current(501), pot("p"))
    fuller = planned(OUT, current(500), pot("p", 1))
    other = planned(dataclasses.replace(OUT, id="rule-2"), current(500), pot("p"))
    edited = planned(dataclasses.replace(OUT, round_to=100), current(500), pot("p"))

    assert first.plan_hash == again.plan_hash
    assert len({p.plan_hash for p in (first, richer, fuller, other, edited)}) == 5


def test_the_hash_of_a_plan_never_changes_between_releases():
    assert planned(OUT, current(500), pot("p")).plan_hash == (
        "f04322b93e31863abe0fdc4f32478eb679e1d0a0f3198843a89c07efa1a2561d"
    )


def test_a_preview_has_the_hash_of_the_run_it_shows():
    shown = planned(OUT, current(500, age_seconds=200), pot("p"), preview=True)

    assert shown.plan_hash == planned(OUT, current(500), pot("p")).plan_hash


def test_a_rule_that_problems_refuses_is_never_planned():
    wrong = rule("sweep", leg("a", "source", "round_ups"), leg("to", "target"))

    with pytest.raises(RuleError, match=r"legs\.0\.unit: round_ups needs unit"):
        planned(wrong, pot("a", 5), pot("to"))


def test_every_kind_has_a_planner_and_a_grammar():
    assert set(KINDS) == set(GRAMMAR)


def test_amounts_of_eighteen_decimals_stay_exact():
    legs = (leg("a", "source", "share", share="0.333"), leg("to", "target"))
    spec = RuleSpec("r", "Wei", "sweep", "ETH/18", legs)
    have = 123456789012345678901234567890

    found = plan(
        spec,
        known(
            Holding("a", "A", "ETH/18", have, 0, kind="pot", inside="m"),
            Holding("to", "To", "ETH/18", 0, 0, kind="pot", inside="m"),
        ),
        now=NOW,
    )

    assert found.moves == (Move("a", "to", have * 333 // 1000),)


def test_a_naive_now_is_refused():
    with pytest.raises(RuleError):
        plan(OUT, known(current(5), pot("p")), now=datetime(2026, 1, 1))  # noqa: DTZ001


# Identity


HOUSE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
RULE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def test_dedupe_id_is_the_same_for_ever():
    name = dedupe_id(HOUSE, RULE, "monthly:2026-01-31T09:00 Europe/London", 0, 1)

    assert str(name) == "89aca784-69c7-5e6b-9d87-03e47aa9927b"


def test_dedupe_ids_differ_in_every_part():
    names = {
        dedupe_id(HOUSE, RULE, "a", 0, 0),
        dedupe_id(RULE, RULE, "a", 0, 0),
        dedupe_id(HOUSE, HOUSE, "a", 0, 0),
        dedupe_id(HOUSE, RULE, "b", 0, 0),
        dedupe_id(HOUSE, RULE, "a", 1, 0),
        dedupe_id(HOUSE, RULE, "a", 0, 1),
        dedupe_id(HOUSE, RULE, "a/0", 0, 1),
        dedupe_id(HOUSE, RULE, "a", 11, 1),
        dedupe_id(HOUSE, RULE, "a", 1, 11),
    }

    assert len(names) == 9
