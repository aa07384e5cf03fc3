"""Replays: what a rule would have done, from what is stored and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.rules import Limits, MovementSeen, TriggerSpec
from automation.rules.outlays import Outlay, Salaries
from automation.rules.past import Flow, Followed, Past, Point, Reading
from automation.rules.replay import (
    Replay,
    Stretch,
    StretchError,
    TooManyOccurrences,
    replay,
)
from automation.rules.terms import Compare, Conditions, PayCycle

from .words import MAIN, current, known, leg, pot, rule

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
DAILY = TriggerSpec("daily", hour=9)
SWEEP = rule(
    "sweep",
    leg(MAIN, "source", "above", keep=100_00),
    leg("rent", "target"),
)


def readings(*pairs: tuple[timedelta, int]) -> list[Reading]:
    return [Reading(START + after, amount, amount) for after, amount in pairs]


def past(main: Any, rent: Any = ((timedelta(), 0),), **more: Any) -> Past:
    """What is stored of the main account and of its pot."""
    return Past(
        accounts=known(current(None), pot("rent", None)),
        readings={MAIN: readings(*main), "rent": readings(*rent)},
        **more,
    )


def played(
    what: Past, *triggers: TriggerSpec, spec=SWEEP, days: int = 3, **words: Any
) -> Replay:
    stretch = Stretch(START, START + days * DAY, **words)
    return replay(spec, triggers or (DAILY,), what, stretch)


def totals(found: Replay) -> list[tuple[str, int]]:
    return [(row.outcome, row.total) for row in found.rows]


def test_each_occurrence_is_planned_on_the_balance_of_its_moment():
    found = played(past([(timedelta(), 150_00), (DAY + 8 * HOUR, 175_00)]), carry=False)

    assert [row.due for row in found.rows] == [
        START + n * DAY + 9 * HOUR for n in range(3)
    ]
    assert totals(found) == [("planned", 50_00), ("planned", 75_00), ("planned", 75_00)]


def test_money_that_was_moved_is_not_moved_again():
    """Only 25.00 came in after the first day, so no more than that can follow."""
    found = played(past([(timedelta(), 150_00), (DAY + 8 * HOUR, 175_00)]))

    assert totals(found) == [
        ("planned", 50_00),
        ("planned", 25_00),
        ("nothing_to_do", 0),
    ]
    assert found.total == 75_00


def test_a_rule_that_really_ran_replays_to_what_it_did():
    """Its own transfers show in the stored balances, and are not counted twice."""
    first, second = START + 9 * HOUR, START + DAY + 9 * HOUR
    minute = timedelta(minutes=1)
    really = past(
        [
            (timedelta(), 150_00),
            (9 * HOUR + 2 * minute, 100_00),
            (DAY + 8 * HOUR, 125_00),
            (DAY + 9 * HOUR + 2 * minute, 100_00),
        ],
        [(timedelta(), 0), (9 * HOUR + 2 * minute, 50_00), (DAY + 10 * HOUR, 75_00)],
        flows=[
            Flow(MAIN, "rent", 50_00, first, first + minute),
            Flow(MAIN, "rent", 25_00, second, second + minute),
        ],
    )

    found = played(really)

    assert totals(found) == [
        ("planned", 50_00),
        ("planned", 25_00),
        ("nothing_to_do", 0),
    ]
    end = found.course.points(MAIN, START, START + 3 * DAY)[-1]
    assert end == Point(START + 3 * DAY, 100_00, 100_00)


def test_a_reading_in_the_midst_of_an_own_transfer_is_passed_over():
    """Whether it shows the 50.00 nobody knows; the one before surely does not."""
    minute = timedelta(minutes=1)
    really = past(
        [(timedelta(), 150_00), (9 * HOUR + minute, 100_00)],
        flows=[
            Flow(MAIN, "rent", 50_00, START + 9 * HOUR, START + 9 * HOUR + 2 * minute)
        ],
    )

    assert totals(played(really, days=2)) == [("planned", 50_00), ("nothing_to_do", 0)]


def test_after_a_transfer_without_an_end_no_reading_is_certain():
    really = past(
        [(timedelta(), 150_00), (10 * HOUR, 100_00)],
        flows=[Flow(MAIN, "rent", 50_00, START + 9 * HOUR, None)],
    )

    readings = {row.readings[0].as_of for row in played(really).rows}

    assert readings == {START}


def test_before_the_first_reading_a_balance_is_unknown_and_never_zero():
    found = played(past([(2 * DAY, 150_00)]))

    assert totals(found) == [
        ("skipped_stale", 0),
        ("skipped_stale", 0),
        ("planned", 50_00),
    ]
    assert "not known" in found.rows[0].reason
    assert found.rows[0].readings[0].available is None


def test_what_was_unknown_is_tried_again_when_it_is_read():
    found = played(past([(11 * HOUR, 150_00)]), days=1)

    (row,) = found.rows
    assert (row.due, row.at) == (START + 9 * HOUR, START + 11 * HOUR)
    assert row.outcome == "planned"


WINDOW = TriggerSpec("date_range", start_day=1, end_day=3, hour=9)
RICH = Compare("available", ">=", 150_00, MAIN, "GBP/2")
WHEN_RICH = replace(SWEEP, conditions=Conditions(RICH))


@pytest.mark.parametrize(
    "main", [[(DAY + 8 * HOUR, 150_00)], [(timedelta(), 100_00), (DAY, 150_00)]]
)
def test_a_window_is_played_on_the_first_day_whose_conditions_are_known_to_hold(main):
    found = played(past(main), WINDOW, spec=WHEN_RICH, days=4)

    (row,) = found.rows
    assert (row.due, row.outcome) == (START + DAY + 9 * HOUR, "planned")


def test_a_window_that_is_never_rich_is_given_up_on_its_last_day():
    spec = replace(SWEEP, conditions=Conditions(RICH, "another"))

    (row,) = played(past([(timedelta(), 0)]), WINDOW, spec=spec, days=2).rows
    assert row.reason.endswith("do not hold: they are looked at again on 2026-03-03")
    (row,) = played(past([(timedelta(), 0)]), WINDOW, spec=spec, days=4).rows
    assert row.reason.endswith("do not hold: another rule runs instead")


def test_a_window_whose_conditions_held_is_not_played_again():
    """Nobody read the pot that the money would have gone to."""
    unread = past([(timedelta(), 150_00)], [(DAY, 0)])

    found = played(unread, WINDOW, spec=WHEN_RICH, days=4)

    assert totals(found) == [("skipped_stale", 0)]


def test_a_day_of_a_window_that_is_still_tried_is_not_played_beside_another():
    late = past([(DAY + 10 * HOUR, 150_00)])

    found = played(late, WINDOW, spec=WHEN_RICH, days=4, lateness=2 * DAY)

    assert [(row.due, row.at, row.total) for row in found.rows] == [
        (START + 9 * HOUR, START + DAY + 10 * HOUR, 50_00)
    ]


def test_two_triggers_that_name_one_day_are_played_on_the_day_of_each():
    """The fourth Saturday of March 2026 is the 28th, which is moved to the Friday."""
    moved = TriggerSpec("monthly", day="28", business_day="previous", hour=9)
    fourth = TriggerSpec("monthly", weekday=6, nth="4", hour=9)

    found = played(past([(timedelta(), 150_00)]), moved, fourth, days=31, carry=False)

    assert [row.due - START for row in found.rows] == [
        26 * DAY + 9 * HOUR,
        27 * DAY + 9 * HOUR,
    ]


TWO_BILLS = rule(
    "autosort",
    leg(MAIN, "source"),
    leg("rent", "bills", "fixed", amount=50_00),
    leg("tax", "bills", "fixed", order=1, amount=30_00),
    leg("fun", "priority", "fixed", amount=20_00),
    on_short="retry_next",
)


def paid(*main: tuple[timedelta, int], **words: Any) -> Replay:
    """Replay a day of TWO_BILLS on what the main account held."""
    pots = ("rent", "tax", "fun")
    stored = Past(
        accounts=known(current(None), *(pot(name, None) for name in pots)),
        readings={MAIN: readings(*main)}
        | {name: readings((timedelta(), 0)) for name in pots},
    )
    return played(stored, spec=TWO_BILLS, days=1, **words)


def test_what_was_short_is_paid_at_a_later_reading_and_nothing_twice():
    found = paid((timedelta(), 60_00), (11 * HOUR, 500_00))

    first, later = found.rows
    assert [move.target for move in first.moves] == ["rent"]
    assert [move.target for move in later.moves] == ["tax", "fun"]
    assert (first.due, first.at) == (later.due, START + 9 * HOUR)
    assert (later.key, later.at) == (f"retry:{first.key}", START + 11 * HOUR)


def test_each_try_leaves_what_is_still_short_to_another_until_it_is_too_late():
    found = paid((timedelta(), 60_00), (11 * HOUR, 95_00), (16 * HOUR, 500_00))

    assert totals(found) == [
        ("planned", 50_00),
        ("planned", 30_00),
        ("skipped_funds", 0),
    ]


def test_a_cooldown_that_the_first_part_began_does_not_forbid_the_other():
    found = paid((timedelta(), 60_00), (11 * HOUR, 500_00), cooldown=DAY)

    assert totals(found) == [("planned", 50_00), ("planned", 50_00)]


def test_occurrences_that_stand_alone_leave_nothing_to_each_other():
    found = paid((timedelta(), 60_00), (11 * HOUR, 500_00), carry=False)

    assert totals(found) == [("planned", 50_00)]


@pytest.mark.parametrize("kind", ["autosort", "sweep"])
def test_what_finds_nothing_to_spare_is_tried_again_at_the_next_reading(kind):
    fixed = {"strategy": "fixed", "amount": 50_00}
    gives, gets = (fixed, {}) if kind == "sweep" else ({}, fixed)
    spec = rule(
        kind,
        leg(MAIN, "source", keep=100_00, **gives),
        leg("rent", "target" if kind == "sweep" else "priority", **gets),
        on_short="retry_next",
    )

    found = played(
        past([(timedelta(), 100_00), (11 * HOUR, 500_00)]), spec=spec, days=1
    )

    assert totals(found) == [("planned", 50_00)]
    assert found.rows[0].at == START + 11 * HOUR


def test_what_is_read_too_late_is_not_caught_up():
    found = played(past([(11 * HOUR, 150_00)]), days=1, lateness=HOUR)

    assert totals(found) == [("skipped_stale", 0)]


def test_cooldown_begins_with_what_the_replay_moved():
    growing = [(n * DAY, 150_00 + n * 10_00) for n in range(5)]

    found = played(past(growing), days=4, cooldown=2 * DAY)

    assert [row.outcome for row in found.rows] == [
        "planned",
        "skipped_not_due",
        "planned",
        "skipped_not_due",
    ]
    assert "Cooling down until 2026-03-03 09:00:00 UTC" in found.rows[1].reason


def test_cooldown_of_a_run_before_the_stretch_still_holds():
    before = past([(timedelta(), 150_00)], last_success=START - HOUR)

    found = played(before, cooldown=DAY, days=2)

    assert [row.outcome for row in found.rows] == ["skipped_not_due", "planned"]


def test_the_limit_of_a_day_counts_its_own_moves_and_ends_with_the_day():
    spec = rule(
        "sweep",
        leg(MAIN, "source", "all"),
        leg("rent", "target"),
        limits=Limits(per_day=30_00),
    )
    twice = (TriggerSpec("daily", hour=9), TriggerSpec("daily", hour=10))

    found = played(past([(timedelta(), 100_00)]), *twice, spec=spec, days=2)

    assert totals(found) == [
        ("planned", 30_00),
        ("skipped_limit", 0),
        ("planned", 30_00),
        ("skipped_limit", 0),
    ]


def test_the_day_of_a_limit_is_that_of_the_rules_zone():
    """07:00 and 15:00 UTC are two days in Kiritimati, which is 14 hours ahead."""
    spec = rule(
        "sweep",
        leg(MAIN, "source", "all"),
        leg("rent", "target"),
        limits=Limits(per_day=30_00),
        timezone="Pacific/Kiritimati",
    )
    twice = (TriggerSpec("daily", hour=21), TriggerSpec("daily", hour=5))

    found = played(past([(timedelta(), 100_00)]), *twice, spec=spec, days=1)

    assert totals(found) == [("planned", 30_00), ("planned", 30_00)]


def test_the_limit_of_a_lifetime_counts_what_was_moved_before():
    spec = rule(
        "sweep",
        leg(MAIN, "source", "all"),
        leg("rent", "target"),
        limits=Limits(per_rule=100_00),
    )
    before = past([(timedelta(), 500_00)], moved=[(START - 30 * DAY, 80_00)])

    assert totals(played(before, spec=spec, days=2)) == [
        ("planned", 20_00),
        ("skipped_limit", 0),
    ]


def test_a_disabled_rule_is_replayed_as_if_it_were_enabled():
    spec = rule(
        "sweep", leg(MAIN, "source", "all"), leg("rent", "target"), enabled=False
    )

    assert totals(played(past([(timedelta(), 5_00)]), spec=spec, days=1)) == [
        ("planned", 5_00)
    ]


def test_closing_and_protection_count_from_when_they_began():
    rich = past([(timedelta(), 500_00)], protected={"rent": START + DAY})

    assert [row.outcome for row in played(rich, carry=False).rows] == [
        "planned",
        "skipped_protected",
        "skipped_protected",
    ]


# -- triggers that are seen


def salary(after: timedelta, amount: int = 2000_00, **more: Any) -> MovementSeen:
    at = START + after
    return MovementSeen(f"tx{after}", amount, "GBP/2", at, settled=at, **more)


PAYDAY = TriggerSpec("payday", min_amount=1000_00, cooldown_days=7)


def test_a_payday_is_noticed_with_the_reading_that_shows_it():
    seen = past(
        [(timedelta(), 150_00), (DAY + HOUR, 2150_00)],
        movements={MAIN: [salary(DAY)]},
    )

    (row,) = played(seen, PAYDAY).rows

    assert (row.at, row.total) == (START + DAY + HOUR, 2050_00)
    assert row.trigger == "payday"


def test_one_salary_is_one_occurrence_and_the_next_waits_for_its_cycle():
    """The bonus of the third day belongs to the cycle that had its payday."""
    seen = past(
        [(timedelta(), 100_00), (DAY, 2100_00), (3 * DAY, 4100_00), (9 * DAY, 6100_00)],
        movements={MAIN: [salary(DAY), salary(3 * DAY), salary(9 * DAY)]},
    )

    found = played(seen, PAYDAY, days=12)

    assert [row.at for row in found.rows] == [START + DAY, START + 9 * DAY]
    assert [row.total for row in found.rows] == [2000_00, 4000_00]


def test_a_transaction_makes_it_due_once():
    seen = past(
        [(timedelta(), 150_00), (DAY, 140_00)],
        movements={MAIN: [salary(DAY, -10_00, account=MAIN)]},
    )

    found = played(seen, TriggerSpec("transaction", max_amount=20_00))

    assert [(row.at, row.total) for row in found.rows] == [(START + DAY, 40_00)]


def test_a_threshold_fires_once_until_it_has_come_back():
    levels = [150_00, 350_00, 400_00, 90_00, 310_00]
    seen = past([(n * DAY, amount) for n, amount in enumerate(levels)])
    above = TriggerSpec("balance", account=MAIN, above=300_00)

    found = played(seen, above, days=5, carry=False)

    assert [row.at for row in found.rows] == [START + DAY, START + 4 * DAY]


def test_a_threshold_that_was_crossed_before_has_fired_already():
    seen = past([(-DAY, 400_00), (DAY, 410_00)])

    assert played(seen, TriggerSpec("balance", account=MAIN, above=300_00)).rows == ()


def test_a_threshold_sees_what_the_replay_moved():
    """Swept down to 100.00 it is armed again, and the next income fires it."""
    seen = past(
        [(timedelta(), 50_00), (DAY, 350_00), (2 * DAY, 600_00), (2.5 * DAY, 610_00)]
    )
    above = TriggerSpec("balance", account=MAIN, above=300_00)

    found = played(seen, above, days=4)

    assert [(row.at, row.total) for row in found.rows] == [
        (START + DAY, 250_00),
        (START + 2 * DAY, 250_00),
    ]


def test_a_rule_follows_the_runs_that_really_were():
    runs = [
        Followed("r2", "a", START + HOUR, 50_00),
        Followed("r2", "b", START + DAY, 0),
        Followed("r3", "c", START + DAY, 50_00),
    ]
    seen = past([(timedelta(), 150_00)], followed=runs)

    found = played(seen, TriggerSpec("after_rule", rule="r2", min_moved=1))

    assert [row.at for row in found.rows] == [START + HOUR]


@pytest.mark.parametrize("kind", ["manual", "api", "webhook"])
def test_what_comes_from_outside_is_said_to_be_silent(kind):
    found = played(past([(timedelta(), 150_00)]), TriggerSpec(kind))

    assert (found.rows, found.silent) == ((), (kind,))


# -- what transactions tell


def test_round_ups_of_a_replay_are_made_good_once():
    """2.50 lacks 0.50 and 9.99 lacks 0.01; what settles later is rounded up later."""
    spec = rule(
        "sweep",
        leg(MAIN, "source", "round_ups", unit=100),
        leg("rent", "target"),
    )
    paid = [
        Outlay("a", START + HOUR, 2_50),
        Outlay("b", START + 2 * HOUR, 9_99),
        Outlay("c", START + DAY + HOUR, 3_10),
    ]

    found = played(past([(timedelta(), 50_00)], outlays={MAIN: paid}), spec=spec)

    assert totals(found) == [("planned", 51), ("planned", 90), ("nothing_to_do", 0)]


@pytest.mark.parametrize(
    ("limits", "moved"),
    [(Limits(per_run=30), [30, 21, 0]), (Limits(per_move=50), [50, 1, 0])],
)
def test_round_ups_that_a_limit_cuts_come_with_the_next_occurrence(limits, moved):
    spec = rule(
        "sweep",
        leg(MAIN, "source", "round_ups", unit=100),
        leg("rent", "target"),
        limits=limits,
    )
    paid = [Outlay("a", START + HOUR, 2_50), Outlay("b", START + 2 * HOUR, 9_99)]

    found = played(past([(timedelta(), 50_00)], outlays={MAIN: paid}), spec=spec)

    assert [row.total for row in found.rows] == moved


def test_what_was_paid_by_card_may_not_be_known():
    spec = rule(
        "sweep", leg(MAIN, "source", "round_ups", unit=100), leg("rent", "target")
    )

    assert totals(played(past([(timedelta(), 50_00)]), spec=spec, days=1)) == [
        ("skipped_stale", 0)
    ]


BILLS = rule(
    "autosort",
    leg(MAIN, "source"),
    leg("rent", "bills", "replenish"),
    pay_cycle=PayCycle(day="1"),
    rest="keep",
)


def test_bills_are_replenished_since_the_payday_before():
    """On the 3rd: what left since the 1st; on the 4th only what left since then."""
    gone = [
        Outlay("old", START - DAY, 70_00),
        Outlay("a", START + HOUR, 30_00),
        Outlay("b", START + 3 * DAY, 5_00),
    ]
    seen = past([(timedelta(), 500_00)], outlays={"rent": gone})

    found = replay(BILLS, (DAILY,), seen, Stretch(START + 2 * DAY, START + 5 * DAY))

    assert [row.total for row in found.rows] == [30_00, 5_00, 0]


def test_bills_that_came_short_are_replenished_when_there_is_more():
    gone = [Outlay("a", START, 400_00), Outlay("b", START + DAY, 5_00)]
    seen = past([(timedelta(), 100_00), (DAY, 500_00)], outlays={"rent": gone})

    found = replay(BILLS, (DAILY,), seen, Stretch(START + HOUR, START + 3 * DAY))

    assert [row.total for row in found.rows] == [100_00, 305_00, 0]


def test_bills_without_a_known_payday_are_not_guessed_at():
    spec = replace(BILLS, pay_cycle=None)
    seen = past([(timedelta(), 500_00)], outlays={"rent": []})

    assert totals(played(seen, spec=spec, days=1)) == [("skipped_stale", 0)]


def test_bills_follow_salaries_where_no_calendar_says_when():
    gone = [Outlay("a", START - 20 * DAY, 40_00), Outlay("b", START - 40 * DAY, 9_00)]
    paid = Salaries([START - 60 * DAY, START - 30 * DAY, START - 29 * DAY], 7)
    seen = past(
        [(timedelta(), 500_00)], outlays={"rent": gone}, salaries={"rent": paid}
    )
    spec = replace(BILLS, pay_cycle=None)

    assert totals(played(seen, spec=spec, days=1)) == [("planned", 40_00)]


@pytest.mark.parametrize(("kind", "put"), [("transaction", 3_00), ("payday", 73_00)])
def test_only_a_salary_that_makes_it_due_is_a_payday_of_the_bills(kind, put):
    gone = [Outlay("a", START - 20 * DAY, 70_00), Outlay("b", START - DAY, 3_00)]
    paid = Salaries([START - 35 * DAY, START - 3 * DAY], 7)
    seen = past(
        [(timedelta(), 500_00)],
        outlays={"rent": gone},
        salaries={"rent": paid},
        movements={MAIN: [salary(HOUR)]},
    )
    spec = replace(BILLS, pay_cycle=None)

    found = played(seen, TriggerSpec(kind), spec=spec, days=1)

    assert [row.total for row in found.rows] == [put]


# -- bounds


@pytest.mark.parametrize("days", [0, -1, 401])
def test_a_stretch_goes_forward_and_ends(days):
    with pytest.raises(StretchError):
        played(past([(timedelta(), 1)]), days=days)


def test_a_rule_that_is_due_too_often_is_refused_by_name():
    with pytest.raises(TooManyOccurrences, match="2,000"):
        played(past([(timedelta(), 1)]), TriggerSpec("hourly"), days=90)


# -- properties


@given(
    st.lists(
        st.tuples(st.integers(0, 30 * 24 * 60), st.integers(-(10**6), 10**6)),
        min_size=1,
        max_size=20,
        unique_by=lambda pair: pair[0],
    )
)
def test_no_more_is_swept_than_ever_came_in(changes):
    """Whatever happened, what left is at most the highest balance above the reserve."""
    levels, held = [], 0
    for minute, change in sorted(changes):
        held += change
        levels.append((timedelta(minutes=minute), held))

    found = played(past(levels), days=30)

    most = max(amount for _, amount in levels)
    assert found.total <= max(0, most - 100_00)
    assert found.total == sum(row.total for row in found.rows)
    assert sum(found.outcomes.values()) == len(found.rows)


@given(st.lists(st.integers(0, 10**7), min_size=2, max_size=12), st.integers(0, 10**6))
def test_replaying_what_it_did_gives_what_it_did(incomes, keep):
    """Play a bank day by day with the rule really running; then replay its past."""
    spec = rule("sweep", leg(MAIN, "source", "above", keep=keep), leg("rent", "target"))
    minute, held, put = timedelta(minutes=1), 0, 0
    main, rent, flows, did = [], [(timedelta(), 0)], [], []
    for day, income in enumerate(incomes):
        held += income
        main.append((day * DAY, held))
        moved = max(0, held - keep)
        did.append(moved)
        if moved:
            at = START + day * DAY + 9 * HOUR
            flows.append(Flow(MAIN, "rent", moved, at, at + minute))
            held, put = held - moved, put + moved
            main.append((day * DAY + 10 * HOUR, held))
            rent.append((day * DAY + 10 * HOUR, put))

    found = played(past(main, rent, flows=flows), spec=spec, days=len(incomes))

    assert [row.total for row in found.rows] == did
    for account in (MAIN, "rent"):
        for point in found.course.points(account, START, START + len(incomes) * DAY):
            if not timedelta(hours=9) <= (point.at - START) % DAY < timedelta(hours=10):
                assert point.stored == point.would
