"""What docs/checks.md shows is what the product says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from accounts.api.quarantine import DriftSettingSerializer
from accounts.reconciliation import reconcile
from accounts.validator import DEFAULTS, MAY_OWE, RULES, USUAL, WORDS, grade
from accounts.verdicts import Heard, Known
from providers.base import Observation, Reading
from providers.money import Asset

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text()
GBP = Asset("GBP", 2)
NOON = datetime(2026, 1, 25, 12, tzinfo=UTC)
EARLIER = NOON - timedelta(minutes=1)


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table that begins with `heading`."""
    block = PAGE.split(f"| {heading}", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in block]


def test_every_rule_is_explained_with_its_usual_threshold_and_severity():
    rows = {row[0].strip("`"): row[2:] for row in table("rule |")}

    assert list(rows) == list(RULES)
    for name, (threshold, severity) in rows.items():
        rule = RULES[name]
        told = f"{rule.threshold:f} {rule.unit}" if rule.adjustable else ""
        if rule.fiat is not None:
            told += f"; {rule.fiat:f} for money of states"
        assert (threshold, severity) == (told, rule.severity), name


def test_kinds_that_may_owe_are_named():
    told = PAGE.split("of the kinds ", 1)[1].split(", until", 1)[0]

    assert set(re.findall(r"`(\w+)`", told)) == MAY_OWE
    assert {r.name for r in RULES.values() if r.unless} == {
        "negative",
        "negative_available",
        "held_exceeds_total",
    }


@pytest.mark.parametrize(("kind", "figures", "outcome"), table("an account of kind"))
def test_readings_of_the_page_come_out_as_it_says(kind, figures, outcome):
    total, available, held = map(GBP.minor, figures.strip("`").split())
    before = Known(
        UUID(int=1),
        "GBP/2",
        kind.strip("`"),
        total=100_00,
        available=100_00,
        as_of=EARLIER,
        fetched_at=EARLIER,
    )
    told = Reading("a", GBP, total, available, held)

    verdict = reconcile({"a": before}, Heard(Observation([told]), NOON, NOON), DEFAULTS)

    found = " ".join(f"`{kept.issue.rule}`" for kept in verdict.quarantined)
    assert (found or "believed") == outcome
    assert bool(verdict.accepted) == (outcome == "believed")


@pytest.mark.parametrize(("expected", "actual", "told"), table("expected |"))
def test_grades_of_the_page_are_what_is_graded(expected, actual, told):
    amounts = (GBP.minor(cell.strip("`")) for cell in (expected, actual))

    assert WORDS[grade(*amounts)] == told


def test_usual_limits_are_what_the_page_says():
    for name in ("high", "critical"):
        assert f"`{name}` percent are reached (usually {getattr(USUAL, name)})" in PAGE
    assert f"After {USUAL.clean_syncs} syncs" in PAGE
    assert USUAL.least == USUAL.percent == 0
    assert [row[0] for row in table("grade |")] == list(WORDS.values())


def test_every_limit_is_explained():
    for name in set(DriftSettingSerializer().fields) - {"id", "account", "asset"}:
        if name != "protect":
            assert f"`{name}`" in PAGE, name
