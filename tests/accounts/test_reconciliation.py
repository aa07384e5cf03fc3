from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.reconciliation import failure, reconcile
from accounts.verdicts import Heard, Known, Verdict
from providers.base import Invariant, Observation, Reading
from providers.errors import Unavailable
from providers.money import LARGEST, Asset

GBP = Asset("GBP", 2)
MAIN, BILLS = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 1, 25, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR_AGO = NOON - timedelta(hours=1)


def known(**fields) -> dict[str, Known]:
    """A current account that holds 500, with a pot inside that was never read."""
    main = Known(
        MAIN,
        "GBP/2",
        name="Main",
        total=500,
        available=500,
        as_of=HOUR_AGO,
        fetched_at=HOUR_AGO,
    )
    bills = Known(BILLS, "GBP/2", kind="pot", name="Bills", parent=MAIN)
    return {"main": replace(main, **fields), "bills": bills}


def main(total: int | None = 500, **fields) -> Reading:
    told = {"available": total, "name": "Main"} | fields
    return Reading("main", GBP, total, **told)


def bills(total: int | None = 7, **fields) -> Reading:
    told = {"available": total, "name": "Bills", "kind": "pot", "parent": "main"}
    return Reading("bills", GBP, total, **told | fields)


def judge(before: dict[str, Known], *readings: Reading, **told) -> Verdict:
    at = told.pop("at", NOON)
    source = told.pop("source", "live")
    return reconcile(before, Heard(Observation(readings, **told), at, at, source))


def test_what_differs_is_corrected_and_what_is_new_is_not_a_correction():
    verdict = judge(known(), main(501), bills(7))

    assert verdict.status == "ok"
    assert [(a.account_id, a.total, a.changed) for a in verdict.accepted] == [
        (MAIN, 501, True),
        (BILLS, 7, True),
    ]
    assert [(c.field, c.old, c.new, c.difference) for c in verdict.changes] == [
        ("total", "500", "501", "1"),
        ("available", "500", "501", "1"),
    ]


def test_unchanged_balance_is_confirmed_without_a_correction():
    verdict = judge(known(), main(500), bills(7))

    assert [a.changed for a in verdict.accepted] == [False, True]
    assert verdict.changes == []


def test_account_never_seen_is_found_with_its_pots_inside_it():
    verdict = judge({}, bills(7), main(500))

    found = {new.reading.external_id: new for new in verdict.found}
    assert found["bills"].parent == found["main"].account_id
    assert found["main"].parent is None
    assert {a.account_id for a in verdict.accepted} == {
        new.account_id for new in found.values()
    }


def test_pot_deleted_before_we_ever_saw_it_is_not_found():
    verdict = judge({}, main(500), bills(0, closed=True))

    assert [new.reading.external_id for new in verdict.found] == ["main"]


def test_renamed_account_keeps_its_identity():
    verdict = judge(known(), main(name="Everyday"), bills())

    [state] = verdict.states
    assert (state.account_id, state.name) == (MAIN, "Everyday")
    assert [(c.field, c.old, c.new) for c in verdict.changes] == [
        ("name", "Main", "Everyday")
    ]


def test_pot_told_deleted_is_closed_at_once():
    verdict = judge(known(), main(), bills(0, closed=True))

    [state] = verdict.states
    assert (state.account_id, state.closed) == (BILLS, True)
    assert [(c.field, c.severity) for c in verdict.changes] == [("closed", "warning")]


def test_locked_pot_is_noted():
    verdict = judge(known(), main(), bills(can_send=False))

    assert [(s.account_id, s.can_send) for s in verdict.states] == [(BILLS, False)]


def test_account_left_out_once_keeps_its_balance_and_stays_open():
    verdict = judge(known(), bills())

    [state] = verdict.states
    assert verdict.status == "partial"
    assert (state.closed, state.missing_reads, state.missing_since) == (False, 1, NOON)
    assert [account for account, _ in verdict.unknown] == [MAIN]


@pytest.mark.parametrize(("seconds", "closed"), [(59, False), (60, True), (3600, True)])
def test_account_is_gone_only_after_two_complete_answers_a_minute_apart(
    seconds, closed
):
    before = known(missing_since=NOON, missing_reads=1)

    verdict = judge(before, bills(), at=NOON + seconds * SECOND)

    assert [s.closed for s in verdict.states] == [closed]
    assert bool(verdict.changes) is closed


def test_incomplete_answer_never_counts_towards_closing():
    before = known(missing_since=HOUR_AGO, missing_reads=1)

    verdict = judge(before, bills(), complete=False)

    assert verdict.states == []


def test_account_that_comes_back_starts_counting_anew():
    verdict = judge(known(missing_since=HOUR_AGO, missing_reads=1), main(), bills())

    assert [(s.missing_reads, s.missing_since) for s in verdict.states] == [(0, None)]


def test_empty_answer_closes_nothing():
    verdict = judge(known())

    assert verdict.status == "partial"
    assert not any(state.closed for state in verdict.states)


def test_closed_account_that_is_told_again_is_open_again():
    verdict = judge(known(closed=True), main(), bills())

    assert [(s.account_id, s.closed) for s in verdict.states] == [(MAIN, False)]


def test_inactive_account_is_left_alone():
    verdict = judge(known(active=False), main(999), bills())

    assert MAIN not in {a.account_id for a in verdict.accepted}


def test_unknown_amount_is_not_a_zero():
    verdict = judge(known(), main(None, error="No permission"), bills())

    assert verdict.status == "partial"
    assert verdict.unknown == [(MAIN, "No permission")]
    assert [a.account_id for a in verdict.accepted] == [BILLS]


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("wrong_asset", [replace(main(), asset=Asset("USD", 2)), bills()]),
        ("duplicate_account", [main(), bills(), bills(8)]),
        ("negative_pot", [main(), bills(-1)]),
        ("not_money", [main(True), bills()]),
        ("not_money", [main(1.5), bills()]),
        ("not_money", [main(LARGEST + 1), bills()]),
        ("not_money", [main(held=-1), bills()]),
        ("no_such_parent", [main(), bills(parent="elsewhere")]),
        ("unreadable_id", [main(), replace(bills(), external_id="a\0b")]),
        ("unreadable_id", [main(), replace(bills(), external_id="")]),
    ],
)
def test_one_wrong_row_discredits_the_whole_answer(code, wrong):
    verdict = judge(known(), *wrong)

    assert (verdict.status, verdict.error_code) == ("failed", code)
    assert verdict.accepted == verdict.changes == verdict.states == []
    assert {account for account, _ in verdict.unknown} == {MAIN, BILLS}


def test_current_account_may_be_overdrawn():
    verdict = judge(known(), main(-250), bills())

    assert [a.total for a in verdict.accepted] == [-250, 7]


def test_failure_changes_nothing_but_says_why():
    verdict = failure(known(), Unavailable("The bank is closed"))

    assert (verdict.status, verdict.error_code) == ("failed", "unavailable")
    assert verdict.accepted == verdict.changes == []
    assert verdict.unknown == [
        (MAIN, "The bank is closed"),
        (BILLS, "The bank is closed"),
    ]


@pytest.mark.parametrize(
    ("as_of", "at"),
    [(HOUR_AGO - SECOND, NOON), (None, HOUR_AGO - SECOND)],
    ids=["dated", "late"],
)
def test_older_reading_never_replaces_a_newer_one(as_of, at):
    verdict = judge(known(), main(1, as_of=as_of), bills(), at=at)

    assert MAIN not in {a.account_id for a in verdict.accepted}
    assert [r["status"] for r in verdict.results] == ["older", "changed"]


@pytest.mark.parametrize("source", ["live", "stream"])
def test_reading_of_a_future_that_never_came_keeps_no_later_one_out(source):
    soon = NOON + 3600 * SECOND
    before = known(as_of=soon, fetched_at=soon, source=source)
    told = Observation([main(501), bills()])

    put_back = reconcile(before, Heard(told, NOON, NOON, judged_at=NOON))
    # Whoever slept since noon and speaks now is late; the clock is right.
    late = reconcile(before, Heard(told, NOON, NOON, judged_at=soon + SECOND))

    [accepted, _] = put_back.accepted
    assert (accepted.total, accepted.as_of) == (501, NOON)
    assert [r["status"] for r in late.results] == ["older", "changed"]


def test_between_sources_the_later_to_be_heard_counts():
    before = known(source="stream", fetched_at=NOON)

    earlier = judge(before, main(1), bills(), at=NOON - SECOND)
    later = judge(before, main(1), bills(), at=NOON + SECOND)

    assert MAIN not in {a.account_id for a in earlier.accepted}
    assert MAIN in {a.account_id for a in later.accepted}


def test_computed_balance_gets_its_snapshot_when_it_is_read():
    verdict = judge(known(source="cache"), main(500), bills())

    assert verdict.accepted[0].changed
    assert verdict.changes == []


def test_moment_in_the_future_is_cut_to_when_it_was_heard():
    verdict = judge(known(), main(1, as_of=NOON + 600 * SECOND), bills())

    assert verdict.accepted[0].as_of == NOON


def test_difference_that_is_no_amount_discredits_its_answer():
    most = 10**78 - 1
    told = [Invariant("total", "main", -most, most)]

    assert judge(known(), main(), invariants=told).error_code == "not_money"


def test_figures_that_disagree_are_reported_and_nothing_is_corrected():
    told = [Invariant("total", "main", 1000, 999)]

    verdict = judge(known(), main(), bills(), invariants=told)

    [found] = verdict.disagreements
    assert (found.account_id, found.expected, found.actual) == (MAIN, 1000, 999)
    assert verdict.accepted[0].total == 500


def test_figures_that_agree_again_resolve_what_was_open():
    agreeing = [Invariant("total", "main", 5, 5)]

    quiet = judge(known(), main(), bills(), invariants=agreeing)
    opened = known(open_discrepancies=["total"])
    resolved = judge(opened, main(), bills(), invariants=agreeing)

    assert quiet.agreements == []
    assert resolved.agreements == [(MAIN, "total")]


names = st.sampled_from(["a", "b", "c", "d"])
amounts = st.integers(-LARGEST, LARGEST)
readings = st.builds(
    Reading,
    external_id=names,
    asset=st.just(GBP),
    total=st.none() | amounts,
    available=st.none() | amounts,
    held=st.integers(0, LARGEST),
    closed=st.booleans(),
    as_of=st.none() | st.datetimes(timezones=st.just(UTC)),
)
observations = st.builds(
    Observation, readings=st.lists(readings, max_size=6), complete=st.booleans()
)
moments = st.integers(-10_000, 10_000).map(lambda n: NOON + n * SECOND)


def held(before: dict[str, Known], verdict: Verdict, at: datetime) -> dict[str, Known]:
    """What is known after `verdict` was written."""
    names = {a.account_id: name for name, a in before.items()}
    after = dict(before)
    for new in verdict.found:
        names[new.account_id] = new.reading.external_id
        after[new.reading.external_id] = Known(new.account_id, str(new.reading.asset))
    for state in verdict.states:
        after[names[state.account_id]] = state
    for new in verdict.accepted:
        amounts = {"total": new.total, "available": new.available, "held": new.held}
        after[names[new.account_id]] = replace(
            after[names[new.account_id]], as_of=new.as_of, fetched_at=at, **amounts
        )
    return after


@given(st.lists(st.tuples(observations, moments), max_size=6))
def test_whatever_is_told_time_never_goes_back_and_nothing_is_guessed(story):
    state: dict[str, Known] = {}
    for observation, at in story:
        verdict = reconcile(state, Heard(observation, at, at))
        told = {r.external_id: r for r in observation.readings}
        after = held(state, verdict, at)
        for name, now_known in after.items():
            before = state.get(name)
            if before is not None and before.as_of is not None:
                assert now_known.as_of >= before.as_of
            if before is None or now_known.total != before.total:
                assert now_known.total in (None, told[name].total)
        state = after


@given(observations, moments)
def test_saying_the_same_again_changes_nothing(observation, at):
    first = reconcile({}, Heard(observation, at, at))
    state = held({}, first, at)

    again = reconcile(state, Heard(observation, at, at))

    assert not any(a.changed for a in again.accepted)
    assert [c for c in again.changes if c.field != "closed"] == []


@given(observations, moments)
def test_corrections_account_for_every_unit(observation, at):
    state = known()
    verdict = reconcile(state, Heard(observation, at, at))

    totals = {a.account_id: a for a in state.values()}
    for change in verdict.changes:
        if change.field == "total":
            assert totals[change.account_id].total + int(change.difference) == int(
                change.new
            )
