from __future__ import annotations

import pytest

from automation.rules.terms import Move

from .words import current, leg, moved, planned, pot, rule, said


def topped(target, held, balance, *, source=None, **words):
    """What a topup of one pot from the main account moves."""
    spec = rule("topup", source or leg("main", "source"), target, **words)
    return planned(spec, current(balance), pot("bills", held))


@pytest.mark.parametrize(
    ("words", "held", "moves"),
    [
        ({"strategy": "fixed", "amount": 2500}, 99999, 2500),
        ({"strategy": "to_target", "target": 10000}, 4000, 6000),
        ({"strategy": "to_target", "target": 10000}, 0, 10000),  # no other limit
        ({"strategy": "to_target", "target": 10000, "amount": 2500}, 4000, 2500),
        ({"strategy": "to_target", "target": 10000, "amount": 2500}, 9000, 1000),
        ({"strategy": "to_target", "target": 10000}, -500, 10500),
        ({"strategy": "fixed", "amount": 2500, "cap": 2000}, 0, 2000),
    ],
)
def test_a_topup_moves_what_its_strategy_says(words, held, moves):
    found = topped(leg("bills", "target", **words), held, 50000)

    assert moved(found) == {"main>bills": moves}


@pytest.mark.parametrize("held", [10000, 10001])
def test_a_target_that_is_reached_is_nothing_to_do_even_without_money(held):
    found = topped(leg("bills", "target", "to_target", target=10000), held, 0)

    assert found.outcome == "nothing_to_do"
    assert "that is enough" in found.reason


@pytest.mark.parametrize(
    ("on_short", "moves", "outcome"),
    [
        (None, {}, "skipped_funds"),
        ("refuse", {}, "skipped_funds"),
        ("partial", {"main>bills": 3000}, "planned"),
    ],
)
def test_short_is_refuse_for_a_topup_unless_the_rule_takes_a_part(
    on_short, moves, outcome
):
    target = leg("bills", "target", "fixed", amount=5000)
    source = leg("main", "source", keep=1000)

    found = topped(target, 0, 4000, source=source, on_short=on_short)

    assert (moved(found), found.outcome) == (moves, outcome)
    assert "Main can spare £30.00 of £50.00" in said(found)


BALANCE = leg("bills", "target", "balance", low=9000, target=10000, high=15000)


@pytest.mark.parametrize(
    ("held", "moves"),
    [
        (8999, {"main>bills": 1001}),
        (9000, {}),  # strictly below low only
        (10000, {}),
        (15000, {}),  # strictly above high only
        (15001, {"bills>main": 5001}),
        (0, {"main>bills": 10000}),
    ],
)
def test_balance_acts_strictly_outside_low_and_high_and_moves_back_to_target(
    held, moves
):
    assert moved(topped(BALANCE, held, 50000)) == moves


def test_balance_gives_back_although_the_source_is_empty():
    assert moved(topped(BALANCE, 20000, -3)) == {"bills>main": 10000}


def test_balance_moves_less_than_min_move_is_skipped_limit():
    target = leg(
        "bills", "target", "balance", low=9000, target=9000, high=9000, min_move=50
    )

    assert topped(target, 8951, 50000).outcome == "skipped_limit"
    assert moved(topped(target, 8950, 50000)) == {"main>bills": 50}


def test_balance_cannot_give_back_to_an_account_that_takes_nothing():
    spec = rule("topup", leg("main", "source"), BALANCE)

    found = planned(spec, current(0, can_receive=False), pot("bills", 20000))

    assert (found.moves, found.outcome) == ((), "skipped_closed")


@pytest.mark.parametrize("closed", ["main", "bills"])
def test_balance_does_nothing_while_either_side_is_closed(closed):
    spec = rule("topup", leg("main", "source"), BALANCE)

    found = planned(
        spec,
        current(90000, closed=closed == "main"),
        pot("bills", 0, closed=closed == "bills"),
    )

    assert found.outcome == "skipped_closed"


def test_a_pot_may_top_up_the_account_it_is_in():
    spec = rule(
        "topup",
        leg("spare", "source"),
        leg("main", "target", "to_target", target=10000),
    )

    found = planned(spec, current(-2500), pot("spare", 50000))

    assert moved(found) == {"spare>main": 12500}


def test_a_pot_may_top_up_another_pot():
    spec = rule(
        "topup", leg("spare", "source"), leg("bills", "target", "fixed", amount=70)
    )

    found = planned(spec, pot("spare", 100), pot("bills"))

    assert moved(found) == {"spare>bills": 70}


def test_a_target_that_was_paid_when_the_rule_was_another_gets_nothing_more():
    spec = rule("topup", leg("main", "source"), leg("p", "target", "fixed", amount=5))

    found = planned(spec, current(100), pot("p"), before=[Move("main", "p", 3)])

    assert (found.outcome, found.moves) == ("nothing_to_do", ())
    assert found.reason == "p had its part of this occurrence already"


TWO_WAY = {"low": 50000, "target": 100000, "high": 200000}


@pytest.mark.parametrize(
    ("age", "outcome", "moves"),
    [(5, "planned", {"main>sav": 131050}), (6, "skipped_stale", {})],
)
def test_use_floor_lets_no_account_without_a_floor_give_back_on_an_older_reading(
    age, outcome, moves
):
    spec = rule(
        "topup",
        leg("sav", "source", floor=0),
        leg("main", "target", "balance", **TWO_WAY),
        on_stale="use_floor",
        max_staleness_seconds=900,
    )

    found = planned(spec, current(231050, age_seconds=age), pot("sav"))

    assert (found.outcome, moved(found)) == (outcome, moves)


def test_a_preview_of_what_goes_back_says_that_a_run_reads_it_first():
    spec = rule(
        "topup",
        leg("sav", "source", floor=0),
        leg("main", "target", "balance", **TWO_WAY),
        on_stale="use_floor",
    )
    old = current(231050, age_seconds=60, largest_drop=500000)

    found = planned(spec, old, pot("sav"), preview=True)

    assert moved(found) == {"main>sav": 131050}
    assert "60 s old; a run reads it again first" in said(found)
