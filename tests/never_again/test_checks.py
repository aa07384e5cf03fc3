"""Defects of other keepers' validators, each run or read there: none may be ours.

From freshwaterbruce2/crypto-bot (a balance validator) and bumpy-croc/ai-trading-bot (an
exchange synchronizer).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from accounts.reconciliation import reconcile
from accounts.validator import DEFAULTS, compare, grade
from accounts.verdicts import Heard, Known, Verdict
from providers.base import Observation, Reading
from providers.money import LARGEST, Asset

WEI, GBP = Asset("TOKEN", 18), Asset("GBP", 2)
NOON = datetime(2026, 1, 25, 12, tzinfo=UTC)
EARLIER = NOON - timedelta(minutes=1)


def judged(reading: Reading, source: str = "live", **before) -> Verdict:
    known = Known(
        UUID(int=1), str(reading.asset), "spot", as_of=EARLIER, fetched_at=EARLIER
    )
    heard = Heard(Observation([reading]), NOON, NOON, source)
    return reconcile({"a": replace(known, **before)}, heard, DEFAULTS)


def issues(verdict: Verdict) -> list[str]:
    return [kept.issue.rule for kept in verdict.quarantined]


def test_validation_comes_before_anything_is_stored():
    """It validated after cache and history were written, and an error blocked nothing."""
    verdict = judged(Reading("a", GBP, -1, -1), total=5, available=5)

    assert issues(verdict) == ["negative", "negative_available"]
    assert (verdict.accepted, verdict.changes) == ([], [])
    assert verdict.unknown


def test_eighteen_decimals_are_not_too_many():
    """It flagged every token with more than 12 decimals."""
    assert judged(Reading("a", WEI, 10**30, 10**30)).accepted


def test_many_cheap_tokens_are_not_unrealistic():
    """It flagged 25 million of a token that costs nothing: one limit for all assets."""
    assert judged(Reading("a", WEI, 25 * 10**24, 25 * 10**24)).accepted
    assert issues(judged(Reading("a", GBP, 10**15, 10**15))) == ["unrealistic"]


def test_ratio_vs_percent():
    """Its limit of 1 % was read as a fraction of a percent, and fired at 0.02 %."""
    one_percent = DEFAULTS.holds("sources_disagree", "spot", GBP).threshold

    assert not list(compare({"a": 10_000_00}, {"a": 9_998_00}, one_percent))
    assert not list(compare({"a": 100_00}, {"a": 99_00}, one_percent))
    assert list(compare({"a": 100_00}, {"a": 98_99}, one_percent))


def test_timestamp_zero_is_not_fresh():
    """A reading from 1970 counted as fresh: zero was read as no moment at all."""
    dawn = datetime.fromtimestamp(0, UTC)

    [told] = judged(Reading("a", GBP, 5, 5, as_of=dawn), as_of=None).results

    assert told["warnings"] == ["Old when it came: It is as of 1970-01-01 00:00:00 UTC"]


def test_rest_hold_kept():
    """Its REST fallback reported a hold of 0, so that all of it looked free."""
    told = Reading("a", GBP, 500, 300, held=200)

    [accepted] = judged(
        told, total=500, available=300, held=200, source="stream"
    ).accepted

    assert (accepted.available, accepted.held) == (300, 200)
    assert issues(judged(replace(told, held=501))) == ["held_exceeds_total"]


def test_nothing_numeric_is_guessed_from_garbage():
    """ "garbage" became 0, and 0 was valid; NaN raised from the depths."""
    for rubbish in ("garbage", "NaN", 1.5, True, LARGEST + 1):
        verdict = judged(Reading("a", GBP, rubbish, rubbish), total=5, available=5)

        assert (verdict.status, verdict.accepted) == ("failed", [])
        assert issues(verdict) == ["garbage"]
        assert verdict.quarantined[0].raw["total"].strip("'") == str(rubbish)


def test_difference_from_zero_counts():
    """A stored 0 made every difference 0 %, so none was ever grave."""
    assert grade(0, 100_00) == "critical"
    assert grade(100_00, 0) == "critical"
