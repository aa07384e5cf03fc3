from __future__ import annotations

import pytest

from automation.rules import Limits

from .words import current, leg, moved, planned, pot, rule, said


def swept(source, balance, **words):
    """What a sweep of one pot into Savings moves."""
    spec = rule("sweep", source, leg("savings", "target"), **words)
    return planned(spec, pot("spare", balance), pot("savings"))


def amount(found):
    return sum(move.amount for move in found.moves)


@pytest.mark.parametrize(
    ("words", "balance", "moves"),
    [
        ({"strategy": "fixed", "amount": 5000}, 12000, 5000),
        ({"strategy": "fixed", "amount": 5000}, 5000, 5000),
        ({"strategy": "fixed", "amount": 5000}, 4999, 4999),  # partial by default
        ({"strategy": "share", "share": "0.5"}, 101, 50),  # 50.5 rounded down
        ({"strategy": "share", "share": "0.01"}, 10000, 100),
        ({"strategy": "share", "share": "0.01"}, 99, 0),
        ({"strategy": "share", "share": "1"}, 777, 777),
        ({"strategy": "above", "keep": 10000}, 12345, 2345),
        ({"strategy": "above", "keep": 10000}, 10000, 0),
        ({"strategy": "all"}, 12345, 12345),
        ({"strategy": "all"}, 0, 0),
    ],
)
def test_each_strategy_moves_what_it_says_to_the_penny(words, balance, moves):
    assert amount(swept(leg("spare", "source", **words), balance)) == moves


@pytest.mark.parametrize(
    ("reserve", "left"),
    [
        ({"keep": 3000}, 3000),
        ({"keep_share": "0.10"}, 1001),  # a tenth of 100.01 is 10.001, rounded up
        ({"floor": 2000}, 2000),
        ({"keep": 3000, "keep_share": "0.10", "floor": 2000}, 3000),
        ({"keep": 500, "keep_share": "0.10", "floor": 2000}, 2000),
        ({"keep": 500, "keep_share": "0.50", "floor": 2000}, 5001),
    ],
)
def test_reserve_is_the_greatest_of_keep_keep_share_and_floor_and_all_spares_it(
    reserve, left
):
    found = swept(leg("spare", "source", "all", **reserve), 10001)

    assert amount(found) == 10001 - left


def test_a_single_share_is_of_available_and_stops_at_the_reserve():
    half = leg("spare", "source", "share", share="0.5", keep=8000)

    assert amount(swept(half, 10000)) == 2000
    assert amount(swept(half, 20000)) == 10000


def test_sources_give_in_their_order_however_they_are_written():
    spec = rule(
        "sweep",
        leg("late", "source", "all", order=2),
        leg("savings", "target", cap=150),
        leg("early", "source", "all", order=1),
    )

    found = planned(spec, pot("late", 100), pot("early", 100), pot("savings"))

    assert [(m.source, m.amount) for m in found.moves] == [("early", 100), ("late", 50)]


def test_no_leg_passes_its_cap_in_a_run():
    assert amount(swept(leg("spare", "source", "all", cap=700), 1000)) == 700


@pytest.mark.parametrize(
    ("on_short", "moves", "outcome"),
    [
        (None, 60, "planned"),
        ("partial", 60, "planned"),
        ("refuse", 0, "skipped_funds"),
    ],
)
def test_short_is_partial_for_a_sweep_unless_the_rule_refuses(on_short, moves, outcome):
    found = swept(leg("spare", "source", "fixed", amount=100), 60, on_short=on_short)

    assert (amount(found), found.outcome) == (moves, outcome)


@pytest.mark.parametrize("balance", [-1, -50000, 0])
@pytest.mark.parametrize(
    "words",
    [
        {"strategy": "all"},
        {"strategy": "share", "share": "1"},
        {"strategy": "fixed", "amount": 100},
    ],
)
def test_a_source_without_money_moves_nothing_and_says_funds(words, balance):
    found = swept(leg("spare", "source", **words), balance)

    assert (found.moves, found.outcome) == ((), "skipped_funds")


def test_above_has_nothing_to_do_when_nothing_is_above():
    found = swept(leg("spare", "source", "above", keep=100), 80)

    assert found.outcome == "nothing_to_do"
    assert found.reason == "spare has nothing to spare"


def test_one_bad_source_does_not_stop_the_others():
    spec = rule(
        "sweep",
        leg("lost", "source", "all", order=1),
        leg("fine", "source", "all", order=2),
        leg("savings", "target"),
    )

    found = planned(spec, pot("lost", None), pot("fine", 70), pot("savings"))

    assert moved(found) == {"fine>savings": 70}
    assert "The balance of lost is not known" in said(found)


def test_a_bad_target_stops_the_sweep_before_any_source_is_asked():
    spec = rule("sweep", leg("spare", "source", "all"), leg("savings", "target"))

    found = planned(spec, pot("spare", 100), pot("savings", 0, closed=True))

    assert (found.moves, found.outcome) == ((), "skipped_closed")


def test_goals_bind_autosort_only():
    spec = rule("sweep", leg("spare", "source", "all"), leg("savings", "target"))

    found = planned(spec, pot("spare", 900), pot("savings", 100, goal=100))

    assert moved(found) == {"spare>savings": 900}


def test_a_sweep_may_run_from_the_account_itself_into_its_pot():
    spec = rule("sweep", leg("main", "source", "above", keep=100), leg("p", "target"))

    assert moved(planned(spec, current(350), pot("p"))) == {"main>p": 250}


def test_trace_tells_balance_reserve_and_amount_in_words():
    found = swept(leg("spare", "source", "above", keep=10000), 123456)

    assert found.trace[0].text == (
        "spare has £1,234.56, keeps £100.00, may give £1,134.56"
    )
    assert found.trace[0].amount == 113456
    assert found.reason == "1 move, £1,134.56 in all"


def test_limits_trim_a_sweep_and_the_trace_says_so():
    found = swept(leg("spare", "source", "all"), 1000, limits=Limits(per_move=300))

    assert amount(found) == 300
    assert "One move may be at most £3.00" in said(found)


@pytest.mark.parametrize("spare", [0, 1])
def test_a_source_is_short_alike_of_nothing_and_of_a_penny(spare):
    source = leg("spare", "source", "fixed", amount=50_00, keep=100_00)

    found = swept(source, 100_00 + spare, on_short="retry_next")

    assert (found.outcome, found.moves, found.retry) == ("skipped_funds", (), True)
    assert "It is tried again after the next sync" in said(found)


@pytest.mark.parametrize("strategy", ["all", "above"])
def test_a_source_that_names_no_amount_is_never_short(strategy):
    source = leg("spare", "source", strategy, keep=100_00)

    assert not swept(source, 100_00, on_short="retry_next").retry


@pytest.mark.parametrize("capped", ["source", "target"])
@pytest.mark.parametrize("policy", ["refuse", "partial", "retry_next"])
def test_a_source_that_has_what_a_cap_lets_it_give_is_not_short(capped, policy):
    cap = {"cap": 40_00}
    spec = rule(
        "sweep",
        leg(
            "spare",
            "source",
            "fixed",
            amount=100_00,
            **cap if capped == "source" else {},
        ),
        leg("savings", "target", **cap if capped == "target" else {}),
        on_short=policy,
    )

    found = planned(spec, pot("spare", 50_00), pot("savings"))

    assert (amount(found), found.retry) == (40_00, False)
    assert "A cap cuts £100.00 to £40.00" in said(found)


@pytest.mark.parametrize(
    ("of_leg", "of_rule"), [({"min_move": 1000}, {}), ({}, {"min_move": 1000})]
)
def test_what_is_below_the_smallest_move_takes_no_room_from_the_next_source(
    of_leg, of_rule
):
    spec = rule(
        "sweep",
        leg("p", "source", "all", **of_leg),
        leg("q", "source", "all", order=1),
        leg("savings", "target", cap=10000),
        limits=Limits(**of_rule),
    )

    found = planned(spec, pot("p", 500), pot("q", 20000), pot("savings"))

    assert moved(found) == {"q>savings": 10000}


def test_the_room_of_a_target_is_shared_by_what_is_moved():
    spec = rule(
        "sweep",
        leg("p", "source", "all"),
        leg("q", "source", "all", order=1),
        leg("savings", "target", cap=10000),
    )

    found = planned(spec, pot("p", 500), pot("q", 20000), pot("savings"))

    assert moved(found) == {"p>savings": 500, "q>savings": 9500}
