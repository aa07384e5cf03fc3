from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from decimal import Decimal
from itertools import product

from hypothesis import assume, example, given
from hypothesis import strategies as st

from automation.rules import Limits, apportion, part, part_up, plan, problems, split
from automation.rules.conditions import judge
from automation.rules.paydays import clock_of, monthly_from, paydays, periods_left
from automation.rules.terms import Compare, Conditions, Group, Holding, PayCycle

from .words import NOW, current, known, leg, pot, rule

HUGE = st.integers(0, 10**40)
SHARES = st.decimals("0.0001", "1", places=4).map(Decimal.normalize)
SMALL = st.integers(0, 2000)
MAYBE = st.none() | SMALL
ABLE = st.sampled_from([True, True, True, False])


@given(HUGE, st.lists(st.integers(0, 10**6), min_size=1, max_size=9))
def test_split_neither_makes_nor_loses_money(amount, weights):
    parts = split(amount, weights)

    assert sum(parts) == (amount if any(weights) else 0)
    for each, weight in zip(parts, weights, strict=True):
        assert abs(each * sum(weights) - amount * weight) < (sum(weights) or 1)


@given(HUGE, st.lists(SHARES, min_size=1, max_size=6))
@example(100, [Decimal("0.29")])
@example(115, [Decimal("0.01")])
def test_a_tier_of_shares_adds_up_to_the_exact_total_rounded_down(base, shares):
    parts = apportion(base, shares)
    scaled = [int(share * 10000) for share in shares]

    assert sum(parts) == base * sum(scaled) // 10000
    for each, weight in zip(parts, scaled, strict=True):
        assert -1 < each - base * weight / 10000 < 1 or base > 2**50
        assert base * weight // 10000 <= each <= base * weight // 10000 + 1


@given(st.integers(-(10**40), 10**40), SHARES)
def test_a_part_and_its_rounded_up_twin_enclose_the_exact_share(amount, share):
    low, high = part(amount, share), part_up(amount, share)

    assert 0 <= low <= high <= max(0, amount)
    assert high - low <= 1


# Whole rules


RESERVES = st.fixed_dictionaries(
    {}, optional={"keep": SMALL, "floor": SMALL, "keep_share": SHARES.map(str)}
)
BOUNDS = st.fixed_dictionaries(
    {}, optional={"cap": SMALL, "max_share": SHARES.map(str), "target": SMALL}
)
DUE = st.dates(date(2025, 1, 1), date(2030, 1, 1))
LIMITS = st.builds(
    Limits,
    min_move=MAYBE,
    per_move=MAYBE,
    per_run=MAYBE,
    per_day=MAYBE,
    per_rule=MAYBE,
    spent_today=SMALL,
    spent_ever=SMALL,
)


@st.composite
def sweeps(draw):
    legs = []
    for n in range(draw(st.integers(1, 4))):
        words = draw(RESERVES)
        strategy = draw(
            st.sampled_from(["fixed", "share", "above", "all", "round_ups"])
        )
        needs = {
            "fixed": {"amount": draw(st.integers(1, 2000))},
            "share": {"share": str(draw(SHARES))},
            "above": {"keep": draw(SMALL)},
            "all": {},
            "round_ups": {
                "unit": draw(st.integers(1, 1000)),
                "multiplier": draw(st.none() | st.integers(1, 100)),
            },
        }[strategy]
        legs.append(leg(f"p{n}", "source", strategy, order=n, **words | needs))
    return [*legs, leg("to", "target", cap=draw(MAYBE))]


@st.composite
def autosorts(draw):
    legs = [leg("p0", "source", **draw(RESERVES))]
    total = Decimal(0)
    for n in range(1, draw(st.integers(1, 6)) + 1):
        role, strategy, words = draw(
            st.sampled_from(
                [
                    ("bills", "replenish", {}),
                    ("bills", "fixed", {"amount": 150}),
                    ("priority", "fixed", {"amount": 90}),
                    ("priority", "to_target", {}),
                    ("goal", "to_target", {}),
                    ("investment", "equal", {}),
                    ("investment", "fixed", {"amount": 70}),
                    ("investment", "share", None),
                ]
            )
        )
        if words is None:
            share = draw(SHARES)
            total += share
            assume(total <= 1)
            words = {"share": str(share)}
        words |= draw(BOUNDS)
        if role == "goal":
            words["due"] = draw(st.none() | DUE)
        legs.append(leg(f"p{n}", role, strategy, order=n, **words))
    if draw(ABLE):
        return legs
    many = leg("", "goal", "to_target", accounts="all_with_goal", order=9)
    return [*legs, dataclasses.replace(many, due=draw(st.none() | DUE))]


@st.composite
def topups(draw):
    source = leg("p0", "source", **draw(RESERVES))
    low, target, high = sorted(draw(st.tuples(SMALL, SMALL, SMALL)))
    words = draw(
        st.sampled_from(
            [
                ("fixed", {"amount": 1 + target}),
                ("to_target", {"target": target}),
                ("to_target", {"target": target, "amount": 1 + low}),
                ("balance", {"low": low, "target": target, "high": high}),
            ]
        )
    )
    return [source, leg("p1", "target", words[0], **words[1])]


CYCLES = st.none() | st.builds(
    PayCycle, st.sampled_from([*map(str, range(1, 32)), "last"])
)


@st.composite
def rules(draw):
    kind, legs = draw(
        st.one_of(
            sweeps().map(lambda legs: ("sweep", legs)),
            autosorts().map(lambda legs: ("autosort", legs)),
            topups().map(lambda legs: ("topup", legs)),
        )
    )
    return rule(
        kind,
        *legs,
        limits=draw(LIMITS | st.just(Limits())),
        rest=draw(st.sampled_from(["redistribute", "keep"])),
        on_short=draw(st.sampled_from([None, "partial", "refuse", "retry_next"])),
        on_stale=draw(st.sampled_from(["skip", "ask"])),
        pay_cycle=draw(CYCLES),
        round_to=draw(st.none() | st.integers(1, 300)),
    )


BALANCES = st.none() | st.integers(-3000, 6000) | st.integers(-(10**90), 10**90)


@st.composite
def holdings(draw, spec):
    names = [each.account for each in spec.legs if each.account] + ["goal1", "goal2"]
    held = [
        Holding(
            name,
            name,
            draw(st.sampled_from(["GBP/2"] * 9 + ["EUR/2", "rubbish"])),
            draw(BALANCES),
            draw(st.none() | st.integers(-5, 1000) | st.just(0)),
            kind=draw(st.sampled_from(["pot", "pot", "current"])),
            inside=draw(st.sampled_from(["main", None])),
            goal=draw(MAYBE),
            closed=not draw(ABLE),
            protected=not draw(ABLE),
            can_send=draw(ABLE),
            can_receive=draw(ABLE),
            largest_drop=draw(SMALL),
        )
        for name in names
        if draw(ABLE)
    ]
    return known(*held)


PAID = st.lists(st.integers(1, 10**6), max_size=5)


@st.composite
def facts(draw, spec, *, certain=False):
    """What is known besides balances; where `certain`, of every leg."""
    names = [each.account for each in spec.legs if each.account]
    spent = {name: draw(SMALL) for name in names if certain or draw(ABLE)}
    paid = {name: tuple(draw(PAID)) for name in names if certain or draw(ABLE)}
    return {"spent": spent, "payments": paid, "now": NOW}


@st.composite
def cases(draw):
    spec = draw(rules())
    return spec, draw(holdings(spec)), draw(facts(spec))


@st.composite
def healthy(draw, kinds=None):
    spec = draw(rules() if kinds is None else kinds)
    names = [each.account for each in spec.legs if each.account] + ["goal1", "goal2"]
    held = [
        pot(name, draw(st.integers(-100, 6000)), goal=draw(MAYBE)) for name in names
    ]
    return spec, known(*held), draw(facts(spec, certain=True))


def reserve(each, available):
    shared = part_up(available, each.keep_share) if each.keep_share else 0
    return max(each.keep or 0, each.floor or 0, shared)


def check(spec, held, found):
    """Assert what holds for every plan of every rule."""
    assert found.retry <= (spec.on_short == "retry_next")
    for move in found.moves:
        check_move(spec, held, move)
    check_sums(spec, held, found)
    assert (found.outcome == "planned") == bool(found.moves)
    assert found.ask <= (found.outcome == "skipped_stale")
    assert found.reason


def check_move(spec, held, move):
    assert type(move.amount) is int
    assert move.amount > 0
    assert move.source != move.target
    assert move.amount >= (spec.limits.min_move or 0)
    assert move.amount % (spec.round_to or 1) == 0
    assert move.amount <= (spec.limits.per_move or 10**99)
    source, target = held[move.source], held[move.target]
    assert source.asset == target.asset == spec.asset
    assert not (source.closed or source.protected or target.closed)
    assert not target.protected
    assert source.can_send
    assert source.is_pot or source.age_seconds <= 5
    assert max(source.age_seconds, target.age_seconds) <= 300
    assert target.can_receive


def check_sums(spec, held, found):
    legs = {each.account: each for each in spec.legs}
    out: dict[str, int] = {}
    for move in found.moves:
        out[move.source] = out.get(move.source, 0) + move.amount
    for account, amount in out.items():
        available = held[account].available
        assert amount <= available - reserve(legs[account], available)
    total, limits = sum(out.values()), spec.limits
    assert limits.per_run is None or total <= limits.per_run
    if limits.per_day is not None and total:
        assert total + limits.spent_today <= limits.per_day
    if limits.per_rule is not None and total:
        assert total + limits.spent_ever <= limits.per_rule


def applied(held, found):
    """Return what is held when the moves are made."""
    after = dict(held)
    for move in found.moves:
        for name, by in ((move.source, -move.amount), (move.target, move.amount)):
            available = after[name].available + by
            after[name] = dataclasses.replace(after[name], available=available)
    return after


def total(found):
    return sum(move.amount for move in found.moves)


@given(cases())
def test_whatever_is_known_a_plan_is_safe_and_never_an_exception(case):
    spec, held, known_ = case

    check(spec, held, plan(spec, held, **known_))


@given(healthy())
def test_money_is_moved_and_neither_made_nor_lost(case):
    spec, held, known_ = case
    found = plan(spec, held, **known_)
    after = applied(held, found)

    assert sum(h.available for h in held.values()) == sum(
        h.available for h in after.values()
    )
    assert len({(m.source, m.target) for m in found.moves}) == len(found.moves)


@given(healthy())
def test_no_leg_passes_its_cap_its_goal_or_its_greatest_share(case):
    spec, held, known_ = case
    found = plan(spec, held, **known_)
    check(spec, held, found)

    got = {move.target: move.amount for move in found.moves}
    for each in spec.legs:
        if each.cap is not None and each.role != "source":
            assert (
                sum(m.amount for m in found.moves if m.target == each.account)
                <= each.cap
            )
        if spec.kind != "autosort" or each.role == "source" or each.account not in got:
            continue
        source = spec.legs[0]
        spare = held["p0"].available - reserve(source, held["p0"].available)
        ceiling = held[each.account].goal if each.target is None else each.target
        if ceiling is not None:
            assert held[each.account].available + got[each.account] <= ceiling
        share = each.max_share or (Decimal("0.20") if each.role == "goal" else None)
        assert share is None or got[each.account] <= part(spare, share)


@given(healthy(), st.randoms())
def test_the_order_in_which_legs_and_accounts_are_written_changes_no_move(case, chance):
    spec, held, known_ = case
    legs, accounts = list(spec.legs), list(held.items())
    chance.shuffle(legs)
    chance.shuffle(accounts)
    other = dataclasses.replace(spec, legs=tuple(legs))

    here = plan(spec, held, **known_)
    there = plan(other, dict(accounts), **known_)

    assert here.moves == there.moves
    assert here.outcome == there.outcome


@given(cases())
def test_the_same_facts_give_the_same_plan_and_hash(case):
    spec, held, known_ = case
    once = plan(spec, held, **known_)
    again = plan(
        dataclasses.replace(spec),
        dict(reversed(held.items())),
        **known_ | {"spent": dict(known_["spent"])},
    )

    assert once == again


@given(healthy(), st.integers(1, 500))
def test_plans_with_other_moves_or_balances_have_other_hashes(case, more):
    spec, held, known_ = case
    richer = dict(held)
    richer["p0"] = dataclasses.replace(
        held["p0"], available=held["p0"].available + more
    )

    assert (
        plan(spec, held, **known_).plan_hash != plan(spec, richer, **known_).plan_hash
    )


@given(healthy(), st.integers(1, 400))
def test_a_preview_on_an_older_reading_has_the_hash_of_the_run(case, age):
    spec, held, known_ = case
    assume(age <= 300)
    older = {n: dataclasses.replace(h, age_seconds=age) for n, h in held.items()}

    shown = plan(spec, older, **known_, preview=True)

    assert shown.plan_hash == plan(spec, held, **known_).plan_hash
    assert shown.moves == plan(spec, held, **known_).moves


def free(spec):
    """Return a rule that loses nothing to rounding or to what is too small."""
    legs = tuple(dataclasses.replace(each, min_move=None) for each in spec.legs)
    limits = dataclasses.replace(spec.limits, min_move=None, per_move=None)
    return dataclasses.replace(spec, legs=legs, limits=limits, round_to=None)


@given(healthy(), st.integers(1, 3000))
def test_more_money_at_the_source_never_moves_less(case, more):
    spec, held, known_ = case
    # Of several shares one may lose a unit to another, which may be full.
    assume(not any(e.share and e.role == "investment" for e in spec.legs))
    assume(not any(e.strategy == "balance" for e in spec.legs))
    spec, source = free(spec), held["p0"]
    richer = held | {
        "p0": dataclasses.replace(source, available=source.available + more)
    }

    assert total(plan(spec, held, **known_)) <= total(plan(spec, richer, **known_))


@given(healthy(), st.integers(0, 3000))
def test_a_limit_that_binds_is_used_to_the_last_unit(case, limit):
    spec, held, known_ = case
    spec = dataclasses.replace(free(spec), limits=Limits())
    wanted = total(plan(spec, held, **known_))
    trimmed = dataclasses.replace(spec, limits=Limits(per_run=limit))

    found = plan(trimmed, held, **known_)

    assert total(found) == min(limit, wanted)
    # A leg that is short of money besides is the graver reason.
    stopped = ("skipped_limit", "skipped_funds")
    assert found.outcome in stopped or limit or not wanted


@given(st.tuples(SMALL, SMALL, SMALL).map(sorted), SMALL, SMALL, st.booleans())
def test_a_target_that_was_reached_is_left_alone(bounds, has, gives, both_ways):
    low, target, high = bounds
    words = {"strategy": "to_target", "target": target}
    if both_ways:
        words |= {"strategy": "balance", "low": low, "high": high}
    spec = rule("topup", leg("p0", "source"), leg("p1", "target", **words))
    held = known(pot("p0", 2000 + gives), pot("p1", has))

    found = plan(spec, held, now=NOW)
    after = applied(held, found)

    if found.moves:
        assert after["p1"].available == target
    else:
        assert has >= (low if both_ways else target)
    again = plan(spec, after, now=NOW)
    assert (again.outcome, again.moves) == ("nothing_to_do", ())


@given(st.integers(1, 10**6), autosorts())
def test_an_investment_tier_without_bounds_gives_away_every_penny(balance, legs):
    open_ = [
        dataclasses.replace(each, cap=None, max_share=None, target=None)
        for each in legs
        if each.role == "investment" and each.strategy != "fixed"
    ]
    assume(open_)
    spec = rule("autosort", leg("p0", "source"), *open_)
    held = known(pot("p0", balance), *(pot(each.account) for each in open_))
    assert problems(spec, held) == []

    found = plan(spec, held, now=NOW)

    assert sum(move.amount for move in found.moves) == balance


@given(st.integers(1, 10**9), st.integers(1, 9))
def test_equal_parts_differ_by_one_unit_at_most_and_the_earlier_are_larger(
    balance, count
):
    legs = [leg(f"p{n}", "investment", "equal", order=n) for n in range(1, count + 1)]
    spec = rule("autosort", leg("p0", "source"), *legs)
    held = known(pot("p0", balance), *(pot(each.account) for each in legs))

    parts = [move.amount for move in plan(spec, held, now=NOW).moves]

    assert sum(parts) == balance
    assert parts == sorted(parts, reverse=True)
    assert max(parts) - min(parts) <= 1


def rounding(unit, times):
    source = leg("main", "source", "round_ups", unit=unit, multiplier=times)
    return rule("sweep", source, leg("to", "target"))


@given(PAID, PAID, st.integers(1, 1000), st.integers(1, 100))
def test_round_ups_are_exact_and_the_same_in_one_run_or_in_two(
    first, second, unit, times
):
    spec, held = rounding(unit, times), known(current(10**12), pot("to"))

    def moved(*paid):
        return total(plan(spec, held, now=NOW, payments={"main": paid}))

    assert moved(*first, *second) == moved(*first) + moved(*second)
    for paid in first:
        lacks, rest = divmod(moved(paid), times)
        assert (rest, (paid + lacks) % unit) == (0, 0)
        assert 0 <= lacks < unit


@given(st.integers(1, 10**7), st.integers(0, 900), CYCLES)
def test_equal_parts_until_a_day_meet_the_goal_in_time_and_never_pass_it(
    goal, days, cycle
):
    today, due = NOW.date(), NOW.date() + timedelta(days)
    left = periods_left(cycle, "UTC", today, due)
    spec = rule(
        "autosort",
        leg("p0", "source"),
        leg("p1", "goal", "to_target", due=due, max_share="1"),
        pay_cycle=cycle,
    )
    clock = clock_of(cycle) or monthly_from(today)
    moments = [NOW, *paydays(clock, "UTC", today, due)]
    held = known(pot("p0", 10**9), pot("p1", 0, goal=goal))
    parts = []

    for now in moments:
        found = plan(spec, held, now=now)
        parts.append(total(found))
        held = applied(held, found)

    assert len(moments) == left
    assert held["p1"].available == goal
    # Without a cycle a month is counted from each run, and months differ in length.
    assert cycle is None or parts == sorted(parts, reverse=True)
    assert cycle is None or parts[0] == -(-goal // left)


TESTS = st.recursive(
    st.integers(1, 3).map(lambda n: Compare("date", "=", date(2026, 1, n))),
    lambda inner: st.one_of(
        st.builds(Group, st.just("not"), st.tuples(inner)),
        st.builds(
            Group,
            st.sampled_from(["all", "any"]),
            st.lists(inner, min_size=1, max_size=3).map(tuple),
        ),
    ),
    max_leaves=8,
)


@given(TESTS, st.tuples(*[st.sampled_from([True, False, None])] * 3))
def test_what_conditions_say_stays_true_however_the_unknown_turns_out(test, answers):
    def verdict(known_):
        return judge(test, lambda each: known_[each.value.day - 1])

    found = verdict(answers)

    for certain in product([True, False], repeat=3):
        if all(a in (None, c) for a, c in zip(answers, certain, strict=True)):
            assert found in (None, verdict(certain))


@given(cases(), st.sampled_from(["<", ">="]))
def test_conditions_let_all_pass_or_nothing(case, op):
    spec, held, known_ = case
    asked = Conditions(Compare("date", op, NOW.date()))

    found = plan(dataclasses.replace(spec, conditions=asked), held, **known_)

    assert found.moves == (() if op == "<" else plan(spec, held, **known_).moves)


@given(healthy(), st.integers(0, 10**6))
def test_another_part_of_an_occurrence_serves_nobody_twice_and_keeps_its_limits(
    case, more
):
    spec, held, known_ = case
    earlier = plan(spec, held, **known_)
    first = earlier.moves
    later = {
        name: dataclasses.replace(each, available=each.available + more)
        for name, each in applied(held, earlier).items()
    }

    found = plan(spec, later, before=first, **known_)

    check(spec, later, found)
    gives = spec.kind == "sweep"
    served = [m.source if gives else m.target for m in (*first, *found.moves)]
    assert len(served) == len(set(served))
    moved = sum(move.amount for move in (*first, *found.moves))
    assert moved <= (spec.limits.per_run or 10**99)
    if gives:
        (target,) = (each for each in spec.legs if each.role == "target")
        assert moved <= (10**99 if target.cap is None else target.cap)


@given(healthy())
def test_as_long_as_no_more_comes_what_was_short_stays_short(case):
    spec, held, known_ = case
    legs = tuple(dataclasses.replace(each, min_move=None) for each in spec.legs)
    bare = {"limits": Limits(), "round_to": None, "on_short": "retry_next"}
    spec = dataclasses.replace(spec, legs=legs, **bare)
    first = plan(spec, held, **known_)

    found = plan(spec, applied(held, first), before=first.moves, **known_)

    assert not (first.retry and found.moves)
