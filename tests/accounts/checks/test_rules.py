"""What each rule says of a reading, and what becomes of the reading."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.reconciliation import failure, reconcile
from accounts.validation import NotMoney
from accounts.validator import DEFAULTS, RULES, CheckRow, Checks, DriftRow, checks_of
from accounts.verdicts import Heard, Known
from providers.base import Observation, Reading
from providers.errors import UnexpectedResponse
from providers.money import LARGEST, Asset, MoneyError, TooPrecise

GBP, BTC, MEME = Asset("GBP", 2), Asset("BTC", 8), Asset("MEME", 18)
NOON = datetime(2026, 1, 25, 12, tzinfo=UTC)
AGO = NOON - timedelta(minutes=1)
MINUTE = timedelta(minutes=1)


def known(total: int | None = 500, asset: Asset = GBP, kind: str = "spot", **more):
    told = {"total": total, "available": total} if total is not None else {}
    told |= {"as_of": AGO, "fetched_at": AGO} if total is not None else {}
    return Known(UUID(int=1), str(asset), kind, **told | more)


def reading(total: int, asset: Asset = GBP, name: str = "a", **more) -> Reading:
    return Reading(name, asset, total, more.pop("available", total), **more)


def hear(*readings: Reading, at: datetime = NOON, source: str = "live", **more):
    return Heard(Observation(readings, **more), at, at, source)


def found(told: Reading, before: Known, checks: Checks = DEFAULTS, source="live"):
    issues = checks.judge(told, before, hear(told, source=source))
    return {(issue.rule, issue.severity) for issue in issues}


BAD = {
    "negative": (reading(-1), known()),
    "negative_available": (reading(5, available=-1), known()),
    "held_exceeds_total": (reading(5, held=6), known()),
    "sources_disagree": (reading(98), known(100, source="stream")),
    "unrealistic": (reading(10**14 + 1), known()),
    "stale": (reading(5, as_of=NOON - timedelta(seconds=301)), known()),
    "too_precise": (reading(5, Asset("GBP", 5)), known(asset=Asset("GBP", 5))),
}
GOOD = {
    "negative": (reading(0), known()),
    "negative_available": (reading(5, available=0), known()),
    "held_exceeds_total": (reading(5, held=5), known()),
    "sources_disagree": (reading(99), known(100, source="stream")),
    "unrealistic": (reading(10**14), known()),
    "stale": (reading(5, as_of=NOON - timedelta(seconds=300)), known()),
    "too_precise": (reading(5, Asset("GBP", 4)), known(asset=Asset("GBP", 4))),
}


def test_each_rule_fires_at_its_threshold_and_not_before():
    made = {name for name, rule in RULES.items() if rule.make}
    assert set(BAD) == set(GOOD) == made
    for name, (told, before) in BAD.items():
        assert (name, RULES[name].severity) in found(told, before), name
    for name, (told, before) in GOOD.items():
        assert found(told, before) == set(), name


def test_overdraft_may_be_negative_and_hold_back_more_than_there_is():
    overdrawn = reading(-500_00, available=-600_00, held=100_00)

    assert found(overdrawn, known(kind="current")) == set()
    assert ("negative", "error") in found(overdrawn, known(kind="pot"))


def test_rule_can_be_switched_on_for_accounts_that_may_owe():
    named = Checks([CheckRow("negative", "current", threshold=Decimal(500))])
    everywhere = Checks([CheckRow("negative", threshold=Decimal(500))])
    limit, beyond = reading(-500_00), reading(-500_01)

    assert found(limit, known(kind="current"), named) & {("negative", "error")} == set()
    assert ("negative", "error") in found(beyond, known(kind="current"), named)
    assert ("negative", "error") not in found(beyond, known(kind="current"), everywhere)


def test_the_nearest_setting_holds_and_others_fill_what_it_leaves_open():
    rows = [
        CheckRow("unrealistic", severity="warning"),
        CheckRow("unrealistic", kind="spot", threshold=Decimal(1)),
        CheckRow("unrealistic", asset="GBP", threshold=Decimal(2)),
        CheckRow("unrealistic", "spot", "BTC", enabled=False),
    ]
    checks = Checks(rows)

    assert found(reading(201), known(), checks) == {("unrealistic", "warning")}
    assert found(reading(200), known(), checks) == set()
    assert found(reading(10**9, BTC), known(asset=BTC), checks) == set()


def test_settings_come_as_the_database_writes_them():
    assert checks_of(None, None) is DEFAULTS
    rows = '[["stale", "", "", true, "error", "10.5"], ["negative", "", "", false, "", null]]'
    drifts = '[[null, "GBP", "1.50", "2", "3", "4", true, "ask", false, 7]]'
    checks = checks_of(rows, drifts)

    assert checks.rows[0] == CheckRow("stale", "", "", True, "error", Decimal("10.5"))
    assert checks.rows[1].threshold is None
    assert checks.drifts == [
        DriftRow(
            "",
            "GBP",
            Decimal("1.50"),
            Decimal(2),
            Decimal(3),
            Decimal(4),
            True,
            "ask",
            False,
            7,
        )
    ]
    assert checks.limits(UUID(int=1), "GBP/2").least == 150
    assert checks.limits(UUID(int=1), "EUR/2").least == 0


@settings(max_examples=40)
@given(
    st.integers(-LARGEST, LARGEST),
    st.integers(-LARGEST, LARGEST),
    st.integers(0, LARGEST),
    st.sampled_from([GBP, BTC, MEME]),
    st.sampled_from(["spot", "current", "pot"]),
    st.sampled_from(["live", "stream"]),
)
def test_a_reading_is_either_believed_whole_or_not_at_all(
    total, available, held, asset, kind, source
):
    told = reading(total, asset, available=available, held=held)
    verdict = reconcile(
        {"a": known(7, asset, kind)}, hear(told, source=source), DEFAULTS
    )

    assert len(verdict.accepted) + bool(verdict.quarantined) == 1
    for kept in verdict.quarantined:
        assert (kept.raw["total"], kept.raw["held"]) == (str(total), str(held))
    if verdict.accepted:
        assert verdict.accepted[0].total == total
        assert kind == "current" or (total >= 0 and held <= total)
    else:
        assert verdict.unknown
        assert verdict.changes == []


def test_figures_that_were_accepted_are_believed_until_they_change():
    before = known(-5)

    assert reconcile({"a": before}, hear(reading(-5)), DEFAULTS).accepted
    assert reconcile({"a": before}, hear(reading(-6)), DEFAULTS).quarantined


def test_warning_is_noted_and_its_reading_believed():
    old = reading(700, as_of=AGO + timedelta(seconds=1))
    verdict = reconcile(
        {"a": known(as_of=AGO - MINUTE)},
        hear(old, at=NOON + timedelta(minutes=10)),
        DEFAULTS,
    )

    assert [a.total for a in verdict.accepted] == [700]
    assert verdict.quarantined == []
    assert "Old when it came" in verdict.results[0]["warnings"][0]


def test_good_reading_releases_what_was_in_quarantine():
    before = known(quarantined={"negative": AGO})

    verdict = reconcile({"a": before}, hear(reading(500)), DEFAULTS)

    assert verdict.released == ["a"]


def several(*totals: int, **more) -> dict[str, Known]:
    return {
        f"a{n}": replace(known(total, **more), account_id=UUID(int=n + 1))
        for n, total in enumerate(totals)
    }


def zeros(count: int) -> list[Reading]:
    return [reading(0, name=f"a{n}") for n in range(count)]


def test_everything_zero_at_once_is_believed_only_when_told_again_a_minute_later():
    def rules(before, readings) -> set[str]:
        verdict = reconcile(before, hear(*readings), DEFAULTS)
        return {kept.issue.rule for kept in verdict.quarantined}

    assert rules(several(5, 6, 7), zeros(3)) == {"all_zero"}
    assert rules(several(5, 6), zeros(2)) == set()  # too few to be suspicious
    assert rules(several(5, 6, 0), zeros(3)) == set()
    assert rules(several(5, 6, 7), [*zeros(2), reading(1, name="a2")]) == set()
    seconds = NOON - timedelta(seconds=59)
    again = several(5, 6, 7, quarantined={"all_zero": seconds})
    assert rules(again, zeros(3)) == {"all_zero"}
    again = several(5, 6, 7, quarantined={"all_zero": NOON - MINUTE})
    assert rules(again, zeros(3)) == set()


def test_most_accounts_missing_at_once_is_told_and_closes_nothing_yet():
    before = several(5, 6, 7, 8)
    [first, *_] = zeros(1)

    verdict = reconcile(before, hear(replace(first, total=5, available=5)), DEFAULTS)
    few = reconcile(
        before, hear(*[reading(9, name=f"a{n}") for n in range(3)]), DEFAULTS
    )
    part = reconcile(before, hear(reading(5, name="a0"), complete=False), DEFAULTS)

    assert {kept.issue.rule for kept in verdict.quarantined} == {"mass_disappearance"}
    assert len(verdict.quarantined) == 3
    assert not any(state.closed for state in verdict.states)
    assert few.quarantined == part.quarantined == []


@pytest.mark.parametrize(
    ("cause", "rule"),
    [(MoneyError("'garbage'"), "garbage"), (TooPrecise("1.005"), "too_precise")],
)
def test_answer_that_is_no_money_goes_into_quarantine_as_a_whole(cause, rule):
    error = UnexpectedResponse("Bank: no")
    error.__cause__ = cause

    [kept] = failure({"a": known()}, error).quarantined

    assert (kept.account_id, kept.external_id, kept.issue.rule) == (None, "", rule)
    assert str(cause) in kept.issue.text


def test_row_that_discredits_an_answer_is_kept_as_it_came():
    verdict = reconcile({"a": known()}, hear(reading("NaN")), DEFAULTS)

    assert (verdict.status, verdict.error_code) == ("failed", NotMoney.code)
    [kept] = verdict.quarantined
    assert (kept.external_id, kept.raw["total"]) == ("a", "'NaN'")
    assert verdict.accepted == []


def test_what_a_person_typed_is_not_doubted():
    verdict = reconcile({"a": known()}, hear(reading(-5), source="manual"))

    assert [a.total for a in verdict.accepted] == [-5]


@pytest.mark.parametrize(
    ("kind", "decimals", "quarantined"),
    [("current", 4, 0), ("current", 5, 1), ("exchange", 18, 0), ("exchange", 31, 1)],
)
def test_exchanges_keep_fractions_of_the_smallest_coin(kind, decimals, quarantined):
    asset = Asset("GBP", decimals)
    before = known(asset=asset, kind=kind)

    verdict = reconcile({"a": before}, hear(reading(5, asset)), DEFAULTS)

    assert len(verdict.quarantined) == quarantined
