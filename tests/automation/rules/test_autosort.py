from __future__ import annotations

import pytest

from automation.rules.terms import Move

from .words import leg, moved, planned, pot, rule, said

HOLDING = leg("hold", "source")


def sorted_out(balance, *legs, pots=(), spent=None, source=HOLDING, **words):
    """Amounts by pot that an autosort of `balance` gives."""
    spec = rule("autosort", source, *legs, **words)
    named = {held.account for held in pots}
    rest = [pot(each.account) for each in legs if each.account not in named]
    return planned(spec, pot("hold", balance), *pots, *rest, spent=spent or {})


def given(found):
    return {move.target: move.amount for move in found.moves}


def test_the_waterfall_pays_bills_priority_goals_and_investments_to_the_penny():
    # 2,100.00 less 100.00 kept is 2,000.00. Bills get the 123.45 spent, rent 150.00.
    # The holiday lacks 1,000.00 but may take a fifth of 2,000.00: 400.00.
    # 1,326.55 is left: 0.70 is 928.585, cut by the cap to 500.00; the rest is one part.
    found = sorted_out(
        210000,
        leg("bills", "bills", "replenish", order=1),
        leg("rent", "priority", "fixed", order=2, amount=15000),
        leg("holiday", "goal", "to_target", order=3, target=100000, max_share="0.20"),
        leg("isa", "investment", "share", order=4, share="0.70", cap=50000),
        leg("gold", "investment", "equal", order=5),
        source=leg("hold", "source", keep=10000),
        spent={"bills": 12345},
    )

    assert given(found) == {
        "bills": 12345,
        "rent": 15000,
        "holiday": 40000,
        "isa": 50000,
        "gold": 82655,
    }
    assert found.reason == "5 moves, £2,000.00 in all"


def test_tiers_are_the_roles_and_order_sorts_only_within_a_role():
    found = sorted_out(
        100,
        leg("last", "investment", "fixed", order=0, amount=100),
        leg("second", "priority", "fixed", order=2, amount=30),
        leg("first", "priority", "fixed", order=1, amount=60),
        leg("bill", "bills", "fixed", order=9, amount=20),
    )

    assert given(found) == {"bill": 20, "first": 60, "second": 20}
    assert [move.target for move in found.moves] == ["bill", "first", "second"]


@pytest.mark.parametrize(
    ("base", "shares", "parts"),
    [
        (100, ["0.5", "0.5"], [50, 50]),
        (101, ["0.5", "0.5"], [51, 50]),  # a tie goes to the earlier leg
        (100, ["0.333", "0.333", "0.334"], [33, 33, 34]),
        (101, ["0.25", "0.75"], [25, 76]),  # 25.25 and 75.75
        (10, ["0.07", "0.21", "0.72"], [1, 2, 7]),  # 0.7, 2.1 and 7.2
        (1, ["0.4", "0.6"], [0, 1]),
        (100, ["0.29"], [29]),  # int(100 * 0.29) is 28
        (115, ["0.01"], [1]),
    ],
)
def test_shares_have_one_base_and_the_largest_remainder_gets_the_odd_penny(
    base, shares, parts
):
    legs = [
        leg(f"pot{n}", "investment", "share", order=n, share=share)
        for n, share in enumerate(shares)
    ]

    found = sorted_out(base, *legs, rest="keep")

    assert [given(found).get(f"pot{n}", 0) for n in range(len(shares))] == parts


def test_the_base_of_the_shares_is_what_was_left_when_the_tier_began():
    found = sorted_out(
        1000,
        leg("rent", "priority", "fixed", amount=200),
        leg("a", "investment", "share", order=1, share="0.5"),
        leg("b", "investment", "share", order=2, share="0.5"),
    )

    assert given(found) == {"rent": 200, "a": 400, "b": 400}


def test_equal_legs_divide_what_shares_and_fixed_legs_of_their_tier_leave():
    found = sorted_out(
        1000,
        leg("e1", "investment", "equal", order=0),
        leg("s", "investment", "share", order=1, share="0.5"),
        leg("f", "investment", "fixed", order=2, amount=99),
        leg("e2", "investment", "equal", order=3),
    )

    assert given(found) == {"e1": 201, "s": 500, "f": 99, "e2": 200}


def test_a_goal_gets_at_most_a_fifth_of_what_is_available_after_the_reserve():
    found = sorted_out(
        1100,
        leg("g", "goal", "to_target"),
        source=leg("hold", "source", floor=100),
        pots=[pot("g", 0, goal=5000)],
    )

    assert given(found) == {"g": 200}


@pytest.mark.parametrize(
    ("goal", "target", "gets"), [(300, None, 250), (300, 100, 50), (None, 400, 350)]
)
def test_a_target_of_a_leg_replaces_the_goal_of_its_account(goal, target, gets):
    found = sorted_out(
        10000,
        leg("g", "goal", "to_target", target=target, max_share="1"),
        pots=[pot("g", 50, goal=goal)],
    )

    assert given(found) == {"g": gets}


@pytest.mark.parametrize(
    ("spent", "target", "gets"), [(80, None, 80), (80, 130, 30), (0, None, 0)]
)
def test_bills_replenish_what_was_spent_at_most_up_to_the_target(spent, target, gets):
    found = sorted_out(
        1000,
        leg("bills", "bills", "replenish", target=target),
        pots=[pot("bills", 100)],
        spent={"bills": spent},
    )

    assert given(found).get("bills", 0) == gets


def test_bills_are_left_out_when_nobody_knows_what_was_spent():
    found = sorted_out(1000, leg("bills", "bills", "replenish"))

    assert (found.moves, found.outcome) == ((), "skipped_stale")
    assert found.reason == "Nobody knows what was spent from bills since payday"


def test_a_fixed_leg_stops_at_the_goal_of_its_pot():
    found = sorted_out(
        1000,
        leg("p", "priority", "fixed", amount=500),
        pots=[pot("p", 80, goal=100)],
    )

    assert given(found) == {"p": 20}


# Rest


def test_rest_goes_by_remaining_goal_space_then_to_the_first_without_a_goal():
    # Shares give 100, 100 and 100 of 1,000. The goals then lack 100 and 300, so of the
    # 700 left they get 100 and 300, and the first pot without a goal gets the other 300.
    found = sorted_out(
        1000,
        leg("small", "investment", "share", order=1, share="0.1"),
        leg("big", "investment", "share", order=2, share="0.1"),
        leg("open", "investment", "share", order=3, share="0.1"),
        pots=[pot("small", 0, goal=200), pot("big", 0, goal=400)],
    )

    assert given(found) == {"small": 200, "big": 400, "open": 400}


def test_rest_that_does_not_fill_the_goals_is_divided_in_proportion_to_them():
    # 800 of 1,000 is left; the goals lack 900 and 1,900, 2,800 together.
    # 800 × 900 ÷ 2800 = 257.14 and 800 × 1900 ÷ 2800 = 542.86.
    found = sorted_out(
        1000,
        leg("small", "investment", "share", order=1, share="0.1"),
        leg("big", "investment", "share", order=2, share="0.1"),
        pots=[pot("small", 0, goal=1000), pot("big", 0, goal=2000)],
    )

    assert given(found) == {"small": 100 + 257, "big": 100 + 543}


def test_rest_stays_at_the_source_when_the_rule_keeps_it():
    found = sorted_out(1000, leg("a", "investment", "share", share="0.1"), rest="keep")

    assert given(found) == {"a": 100}
    assert found.trace[-1].text == "£9.00 stays in hold"


def test_priority_and_fixed_legs_never_grow():
    found = sorted_out(
        1000,
        leg("p", "priority", "fixed", amount=100),
        leg("f", "investment", "fixed", amount=100),
    )

    assert given(found) == {"p": 100, "f": 100}


def test_no_leg_passes_its_cap_or_greatest_share_when_the_rest_is_poured():
    # Shares give 300 and 300 of 1,000. Of the 400 left the first may take 50 up to its
    # cap and the second 100 up to its greatest share; 250 stays.
    found = sorted_out(
        1000,
        leg("a", "investment", "share", order=1, share="0.3", cap=350),
        leg("b", "investment", "share", order=2, share="0.3", max_share="0.4"),
    )

    assert given(found) == {"a": 350, "b": 400}


def test_a_capped_goal_hands_its_part_of_the_rest_to_the_other_goals():
    found = sorted_out(
        1000,
        leg("a", "investment", "equal", order=1, cap=10),
        leg("b", "investment", "share", order=2, share="0.1"),
        pots=[pot("a", 0, goal=900), pot("b", 0, goal=900)],
    )

    assert given(found) == {"a": 10, "b": 900}


# Short


def test_a_short_tier_ends_the_waterfall():
    found = sorted_out(
        100,
        leg("bills", "bills", "fixed", amount=150),
        leg("rent", "priority", "fixed", amount=10),
    )

    assert given(found) == {"bills": 100}
    assert "nothing below it is paid" in said(found)


def test_refuse_moves_nothing_on_the_short_leg_and_nothing_below_its_tier():
    found = sorted_out(
        100,
        leg("big", "bills", "fixed", order=1, amount=150),
        leg("small", "bills", "fixed", order=2, amount=40),
        leg("rent", "priority", "fixed", amount=10),
        leg("a", "investment", "equal"),
        on_short="refuse",
    )

    assert given(found) == {"small": 40}


def test_a_leg_cut_by_its_cap_is_not_short():
    found = sorted_out(
        100,
        leg("bills", "bills", "fixed", amount=150, cap=60),
        leg("rent", "priority", "fixed", amount=10),
    )

    assert given(found) == {"bills": 60, "rent": 10}


# Bad accounts


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"available": None}, "skipped_stale"),
        ({"age_seconds": 301}, "skipped_stale"),
        ({"protected": True}, "skipped_protected"),
        ({"closed": True}, "skipped_closed"),
    ],
)
def test_a_bad_source_skips_the_whole_run(facts, outcome):
    spec = rule("autosort", HOLDING, leg("rent", "priority", "fixed", amount=10))
    source = pot("hold", **{"available": 1000, **facts})

    found = planned(spec, source, pot("rent"))

    assert (found.moves, found.outcome) == ((), outcome)


@pytest.mark.parametrize(
    "facts",
    [
        {"available": None},
        {"age_seconds": 301},
        {"protected": True},
        {"closed": True},
        {"can_receive": False},
        {"asset": "EUR/2"},
    ],
)
def test_a_bad_target_is_skipped_as_if_it_were_full(facts):
    spec = rule(
        "autosort",
        HOLDING,
        leg("bad", "priority", "fixed", order=1, amount=600),
        leg("rent", "priority", "fixed", order=2, amount=600),
        leg("save", "investment", "equal"),
    )
    bad = pot(
        "bad", **{"available": 0, **{k: v for k, v in facts.items() if k != "asset"}}
    )
    if "asset" in facts:
        bad = type(bad)("bad", "bad", facts["asset"], 0, 0, kind="pot", inside="main")

    found = planned(spec, pot("hold", 1000), bad, pot("rent"), pot("save"))

    assert moved(found) == {"hold>rent": 600, "hold>save": 400}
    assert any(step.account == "bad" for step in found.trace)


def test_a_bad_share_leg_leaves_its_part_to_the_rest():
    found = sorted_out(
        1000,
        leg("bad", "investment", "share", order=1, share="0.5"),
        leg("good", "investment", "share", order=2, share="0.5"),
        pots=[pot("bad", 0, closed=True)],
    )

    assert given(found) == {"good": 1000}


def test_nothing_above_the_reserve_is_skipped_funds():
    found = sorted_out(
        100,
        leg("rent", "priority", "fixed", amount=10),
        source=leg("hold", "source", keep=100),
    )

    assert found.outcome == "skipped_funds"


def test_full_pots_are_nothing_to_do():
    found = sorted_out(
        100,
        leg("g", "goal", "to_target"),
        leg("p", "priority", "to_target", target=5),
        pots=[pot("g", 70, goal=70), pot("p", 6)],
    )

    assert found.outcome == "nothing_to_do"
    assert found.reason == "p needs nothing"


@pytest.mark.parametrize("spare", [0, 1])
def test_a_leg_is_short_alike_of_nothing_and_of_a_penny(spare):
    found = sorted_out(
        100_00 + spare,
        leg("rent", "priority", "fixed", amount=50_00),
        leg("isa", "investment", "equal"),
        source=leg("hold", "source", keep=100_00),
        on_short="retry_next",
    )

    assert (found.outcome, found.moves, found.retry) == ("skipped_funds", (), True)
    assert "It is tried again after the next sync" in said(found)


def test_with_nothing_to_spare_nobody_waits_who_lacks_nothing():
    found = sorted_out(
        0,
        leg("rent", "priority", "to_target", target=50_00),
        pots=[pot("rent", 50_00)],
        on_short="retry_next",
    )

    assert (found.outcome, found.retry) == ("skipped_funds", False)
    assert found.reason == "hold has nothing to spare"


def test_the_greatest_share_of_a_pot_is_of_all_that_its_occurrence_had():
    """Half of 60.00 it may take and wants: the 10.00 that are left are too little."""
    paid = [Move("hold", "rent", 50_00)]
    legs = (
        leg("rent", "bills", "fixed", amount=50_00),
        leg("tax", "bills", "fixed", order=1, amount=30_00, max_share="0.5"),
    )

    found = planned(
        rule("autosort", HOLDING, *legs, on_short="retry_next"),
        *(pot("hold", 10_00), pot("rent", 50_00), pot("tax")),
        before=paid,
    )

    assert (found.moves, found.retry) == ((), True)
    assert "tax wants £30.00, £10.00 is left" in said(found)
