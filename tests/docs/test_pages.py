"""The pages say what the product does: their examples are carried out."""

from __future__ import annotations

from pathlib import Path

import pytest

from automation.models import Rule, Trigger
from automation.rules.grammar import GRAMMAR

from .worked import Desk, Example, examples, written

ROOT = Path(__file__).parents[2]
RULES = (ROOT / "docs" / "rules.md").read_text()
WORKED = examples(RULES)


@pytest.mark.django_db
@pytest.mark.parametrize("example", WORKED, ids=str)
def test_worked_example_is_what_the_planner_says(example: Example):
    assert written(Desk(example.said)) == example.told


@pytest.mark.parametrize("kind", Rule.Kind.values)
def test_every_strategy_of_every_kind_has_a_worked_example(kind):
    shown = {
        (leg["role"], leg.get("strategy", ""))
        for example in WORKED
        if example.said["rule"]["kind"] == kind
        for leg in example.said["rule"]["legs"]
    }
    wanted = {(role, s) for role, usages in GRAMMAR[kind].items() for s in usages}

    assert wanted - shown == set()


@pytest.mark.parametrize("kind", Trigger.Kind.values)
def test_every_trigger_is_explained(kind):
    assert f"| `{kind}` |" in RULES
