"""How grave a difference is, what follows, and what a balance consists of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.events.rising import RANK
from accounts.history.proof import prove, unexplained, whole
from accounts.reconciliation import reconcile
from accounts.validator import Checks, Difference, DriftRow, Limits, compare, grade
from accounts.verdicts import Heard, Known
from providers.base import Invariant, Observation, Reading
from providers.money import Asset

GBP = Asset("GBP", 2)
MAIN = UUID(int=1)
NOON = datetime(2026, 1, 25, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
amounts = st.integers(-(10**30), 10**30)


@pytest.mark.parametrize(
    ("expected", "actual", "limits", "graded"),
    [
        (100_00, 100_00, Limits(), "info"),
        (1_000_000, 1_000_001, Limits(), "warning"),
        (0, 99, Limits(), "warning"),  # dust is never grave
        (0, 100, Limits(), "critical"),  # from zero it is more than every percentage
        (100_00, 101_00, Limits(), "error"),  # 1 is one percent, not a hundred
        (100_00, 104_99, Limits(), "error"),
        (100_00, 95_00, Limits(), "critical"),
        (100_00, 109_99, Limits(least=10_00), "info"),
        (100_00, 110_00, Limits(least=10_00), "critical"),
        # Both must be reached: £10 of £10,000 is much money and little percent.
        (10_000_00, 10_010_00, Limits(least=10_00, percent=Decimal(2)), "info"),
        (-100_00, -90_00, Limits(), "critical"),
    ],
)
def test_gravity_is_by_percent_and_by_amount(expected, actual, limits, graded):
    assert grade(expected, actual, limits) == graded


@settings(max_examples=50)
@given(amounts, st.integers(0, 10**30), st.integers(0, 10**30))
def test_a_larger_difference_is_never_less_grave(expected, gap, more):
    near, far = (grade(expected, expected + g) for g in (gap, gap + more))

    assert RANK[near] <= RANK[far]
    assert RANK[near] == 0 if gap == 0 else RANK[near] > 0
    assert near == grade(-expected, -expected - gap)


@settings(max_examples=30)
@given(
    st.dictionaries(st.sampled_from("abcd"), amounts),
    st.dictionaries(st.sampled_from("abcd"), amounts),
)
def test_sources_differ_alike_whichever_is_asked_first(first, second):
    one = list(compare(first, second))
    other = [Difference(d.name, d.second, d.first) for d in compare(second, first)]

    assert one == other
    assert {d.name for d in one} == {
        n for n in first.keys() | second if first.get(n) != second.get(n)
    }


def test_sources_are_compared_in_percent_and_what_one_leaves_out_is_told():
    told = compare({"a": 100, "b": 5, "d": 100}, {"a": 99, "c": 0, "d": 98}, Decimal(1))

    assert [(d.name, d.first, d.second) for d in told] == [
        ("b", 5, None),
        ("c", None, 0),
        ("d", 100, 98),
    ]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 50), amounts), max_size=8),
    st.lists(st.tuples(st.integers(0, 50), amounts), max_size=20),
)
def test_proof_adds_up_and_nothing_is_smeared(held, moved):
    def at(rows):
        return [(NOON + n * MINUTE, amount) for n, amount in sorted(rows)]

    points = at({n: (n, amount) for n, amount in held}.values())
    stretches = prove(points, at(moved))

    assert len(stretches) == max(0, len(points) - 1)
    for part in stretches:
        assert part.opening + part.known + part.unexplained == part.closing
        inside = [a for t, a in at(moved) if part.since < t <= part.until]
        assert (part.known, part.count) == (sum(inside), len(inside))
    if stretches:
        total = whole(stretches)
        assert total.opening + total.known + total.unexplained == total.closing
        gaps = list(unexplained(stretches))
        assert sum(gap.unexplained for gap in gaps) == total.unexplained
        assert all(gap.unexplained for gap in gaps)


def test_what_nobody_explains_stays_in_its_own_stretch():
    points = [(NOON + n * MINUTE, amount) for n, amount in enumerate((100, 90, 60, 70))]
    moved = [(NOON + MINUTE, -10), (NOON + 3 * MINUTE, 10)]

    [gap] = unexplained(prove(points, moved))

    assert (gap.since, gap.unexplained) == (NOON + MINUTE, -30)


def judge(total: int, row: DriftRow | None = None, told=(), **before):
    known = Known(
        MAIN,
        "GBP/2",
        total=100_00,
        available=100_00,
        as_of=NOON - MINUTE,
        fetched_at=NOON - MINUTE,
        **before,
    )
    reading = Reading("a", GBP, total, total)
    heard = Heard(Observation([reading], told), NOON, NOON)
    return reconcile({"a": known}, heard, Checks((), [row] if row else []))


@pytest.mark.parametrize(
    ("policy", "total", "accepted", "graded"),
    [
        ("auto", 120_00, True, "critical"),
        ("ask", 120_00, False, "critical"),
        ("never", 120_00, False, "critical"),
        ("ask", 109_99, True, None),  # below the limits
    ],
)
def test_change_beyond_the_limits_follows_the_policy_and_is_always_recorded(
    policy, total, accepted, graded
):
    row = DriftRow(least=Decimal(10), changes=True, correction=policy)

    verdict = judge(total, row)

    assert bool(verdict.accepted) is accepted
    assert [d.severity for d in verdict.disagreements] == ([graded] if graded else [])
    kept = {q.issue.rule for q in verdict.quarantined}
    assert kept == (set() if accepted else {"drift"})
    if accepted:
        changes = {c.field: c.severity for c in verdict.changes}
        assert changes["total"] == (graded or "info")


def test_without_limits_of_its_own_an_account_may_change_as_it_likes():
    verdict = judge(1_000_000_00)

    assert verdict.accepted
    assert verdict.disagreements == verdict.quarantined == []


def test_critical_difference_protects_unless_it_is_told_not_to():
    off = [Invariant("sum", "a", 100_00, 50_00)]
    again = {"open_discrepancies": {"sum": -50_00}}

    [usual] = judge(100_00, told=off, **again).disagreements
    [free] = judge(100_00, DriftRow(protect=False), off, **again).disagreements

    assert (usual.severity, usual.clean_syncs) == ("critical", 3)
    assert (free.severity, free.clean_syncs) == ("critical", 0)


@pytest.mark.parametrize("before", [None, {"sum": -49_00}, {"other": -50_00}])
def test_difference_is_grave_only_when_two_syncs_tell_the_same(before):
    off = [Invariant("sum", "a", 100_00, 50_00)]

    [first] = judge(100_00, told=off, open_discrepancies=before).disagreements

    assert (first.severity, first.clean_syncs) == ("warning", 0)


def test_clean_syncs_are_counted_down_and_others_are_not():
    off = [Invariant("sum", "a", 1, 2)]
    drifting = {"clean_syncs_left": 2, "open_discrepancies": {"sum": 1}}

    assert judge(100_00, clean_syncs_left=2).clean == [(MAIN, 1)]
    assert judge(100_00).clean == []
    assert judge(100_00, told=off, **drifting).clean == []
