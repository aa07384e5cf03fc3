from __future__ import annotations

import dataclasses
from decimal import Decimal

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from automation.rules import Limits, apportion, part, part_up, plan, problems, split
from automation.rules.terms import Holding

from .words import NOW, known, leg, pot, rule

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
        strategy = draw(st.sampled_from(["fixed", "share", "above", "all"]))
        needs = {
            "fixed": {"amount": draw(st.integers(1, 2000))},
            "share": {"share": str(draw(SHARES))},
            "above": {"keep": draw(SMALL)},
            "all": {},
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
        legs.append(leg(f"p{n}", role, strategy, order=n, **words | draw(BOUNDS)))
    return legs


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
        on_short=draw(st.sampled_from([None, "partial", "refuse"])),
        round_to=draw(st.none() | st.integers(1, 300)),
    )


BALANCES = st.none() | st.integers(-3000, 6000) | st.integers(-(10**90), 10**90)


@st.composite
def holdings(draw, spec):
    held = [
        Holding(
            each.account,
            each.account,
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
        for each in spec.legs
        if draw(ABLE)
    ]
    return known(*held)


@st.composite
def cases(draw):
    spec = draw(rules())
    return spec, draw(holdings(spec)), draw(st.dictionaries(st.just("p1"), SMALL))


@st.composite
def healthy(draw):
    spec = draw(rules())
    held = [
        pot(each.account, draw(st.integers(-100, 6000)), goal=draw(MAYBE))
        for each in spec.legs
    ]
    return spec, known(*held), {each.account: draw(SMALL) for each in spec.legs}


def reserve(each, available):
    shared = part_up(available, each.keep_share) if each.keep_share else 0
    return max(each.keep or 0, each.floor or 0, shared)


def check(spec, held, found):
    """Assert what holds for every plan of every rule."""
    legs = {each.account: each for each in spec.legs}
    out: dict[str, int] = {}
    for move in found.moves:
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
        out[move.source] = out.get(move.source, 0) + move.amount
    for account, amount in out.items():
        available = held[account].available
        assert amount <= available - reserve(legs[account], available)
    total, limits = sum(out.values()), spec.limits
    assert limits.per_run is None or total <= limits.per_run
    assert (
        limits.per_day is None
        or not total
        or total + limits.spent_today <= limits.per_day
    )
    assert (
        limits.per_rule is None
        or not total
        or total + limits.spent_ever <= limits.per_rule
    )
    assert (found.outcome == "planned") == bool(found.moves)
    assert found.reason


@settings(max_examples=400, deadline=None)
@given(cases())
def test_whatever_is_known_a_plan_is_safe_and_never_an_exception(case):
    spec, held, spent = case

    check(spec, held, plan(spec, held, now=NOW, spent=spent))


@settings(max_examples=300, deadline=None)
@given(healthy())
def test_no_leg_passes_its_cap_its_goal_or_its_greatest_share(case):
    spec, held, spent = case
    found = plan(spec, held, now=NOW, spent=spent)
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


@settings(max_examples=200, deadline=None)
@given(healthy(), st.randoms())
def test_the_order_in_which_legs_and_accounts_are_written_changes_no_move(case, chance):
    spec, held, spent = case
    legs, accounts = list(spec.legs), list(held.items())
    chance.shuffle(legs)
    chance.shuffle(accounts)
    other = dataclasses.replace(spec, legs=tuple(legs))

    here = plan(spec, held, now=NOW, spent=spent)
    there = plan(other, dict(accounts), now=NOW, spent=spent)

    assert here.moves == there.moves
    assert here.outcome == there.outcome


@settings(max_examples=100, deadline=None)
@given(cases())
def test_the_same_facts_give_the_same_plan_and_hash(case):
    spec, held, spent = case
    once = plan(spec, held, now=NOW, spent=spent)
    again = plan(
        dataclasses.replace(spec),
        dict(reversed(held.items())),
        now=NOW,
        spent=dict(spent),
    )

    assert once == again


@settings(max_examples=200, deadline=None)
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
