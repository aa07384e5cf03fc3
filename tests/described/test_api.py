"""The short form of `manage.py prove api`, and what it found once."""

from __future__ import annotations

from tests.fixtures_api import V1

from .storm import Storm

EXAMPLES = 4  # for each operation; the long form is the command


def test_every_answer_is_as_described(world, sandbox, valkey):
    report = Storm(world).blow(EXAMPLES, seeded=1)

    assert report.broken == {}
    assert len(report.operations) > 70
    assert len(report.well) > 25


def test_runs_of_a_rule_are_filtered_and_the_rule_is_not(world):
    """The filter for runs was tried on the rule itself, and broke."""
    rule, run = world.mine.rule, world.mine.run
    path = f"{V1}/rules/{rule.pk}/runs/"

    found = world.viewer.get(f"{path}?rule={rule.pk}&status={run.status}")
    none = world.viewer.get(f"{path}?status=failed")

    assert [row["id"] for row in found.json()["results"]] == [str(run.pk)]
    assert none.json()["results"] == []
