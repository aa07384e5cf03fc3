"""The page about operations names what there is, and its alarms look at real figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from balsync_project import heartbeats
from balsync_project.health import looked
from balsync_project.metrics.page import Figures
from tests import fixtures_api

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
FIGURE = re.compile(r"balsync_\w+")
world = fixtures_api.world


@pytest.mark.django_db
def test_every_figure_is_explained_and_no_other(world, valkey):
    world.mine.connection.consent_expires_at = fixtures_api.NOON
    world.mine.connection.last_success_at = fixtures_api.NOON
    world.mine.connection.save()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures())
    found = {}
    for family in registry.collect():
        name = f"{family.name}_info" if family.type == "info" else family.name
        labels = {label for sample in family.samples for label in sample.labels}
        found[name] = labels

    rows = re.findall(r"^\| `(balsync_\w+)` \|([^|]*)\|", PAGE, re.MULTILINE)
    explained = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}

    assert explained.keys() == found.keys()
    for name, labels in found.items():
        assert labels <= explained[name], name
    assert set(FIGURE.findall(PAGE)) - {"balsync_token"} == found.keys()


def test_alarms_are_rules_that_prometheus_can_read():
    blocks = [
        yaml.safe_load(b) for b in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    ]
    rules = [r for b in blocks for group in b.get("groups", ()) for r in group["rules"]]

    assert len({rule["alert"] for rule in rules}) == len(rules) == 10
    for rule in rules:
        assert FIGURE.search(rule["expr"]) or "up{" in rule["expr"]
        assert set(rule) <= {"alert", "expr", "for"}


@pytest.mark.django_db
def test_every_part_and_every_setting_is_explained(valkey):
    for role in heartbeats.ROLES:
        heartbeats.write(role)
    known = (ROOT / ".env.example").read_text()

    assert all(f"`{part}`" in PAGE for part in looked())
    for name in set(re.findall(r"BALSYNC_\w+", PAGE)):
        assert f"{name}=" in known
