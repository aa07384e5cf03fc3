"""Admins say over the API what is checked; what cannot be is refused by its field."""

from __future__ import annotations

import pytest

from accounts.models import AuditEvent, CheckSetting, DriftSetting
from tests import fixtures_api
from tests.fixtures_api import V1, expect_problem, fields_of

pytestmark = pytest.mark.django_db
world = fixtures_api.world
CHECKS, DRIFT = f"{V1}/checks/settings/", f"{V1}/checks/drift/"


def test_a_rule_is_set_changed_and_unset_and_each_is_told(world):
    told = {"rule": "stale", "kind": "current", "threshold": "90.5"}
    made = world.admin.post(CHECKS, told | {"severity": "error"}).json()
    shown = {"rule": "stale", "kind": "current", "asset": "", "enabled": True}
    assert made.items() >= (shown | {"severity": "error"}).items()
    assert made["threshold"] == "90.5"
    where = f"{CHECKS}{made['id']}/"

    changed = world.admin.patch(where, {"enabled": False, "threshold": None})
    assert changed.status_code == 200, changed.content
    assert (changed.json()["enabled"], changed.json()["threshold"]) == (False, None)
    assert changed.json()["kind"] == "current"
    assert world.admin.delete(where).status_code == 204

    mine = AuditEvent.objects.filter(object_id=made["id"]).order_by("pk")
    assert [(e.action, e.actor) for e in mine] == [
        ("checksetting.created", "admin"),
        ("checksetting.changed", "admin"),
        ("checksetting.removed", "admin"),
    ]
    assert not CheckSetting.objects.filter(pk=made["id"]).exists()


def test_limits_of_an_account_are_kept_exactly(world):
    body = {"account": str(world.mine.main.pk), "percent": "0.0001", "clean_syncs": 2}
    made = world.admin.post(DRIFT, body | {"correction": "ask"})
    assert made.status_code == 201, made.content

    row = DriftSetting.objects.get(pk=made.json()["id"])
    assert (row.account, str(row.percent), row.correction) == (
        world.mine.main,
        "0.0001",
        "ask",
    )
    assert made.json()["least"] == "0"


@pytest.mark.parametrize(
    ("where", "body", "wrong"),
    [
        (CHECKS, {}, {"rule": "required"}),
        (CHECKS, {"rule": "garbage"}, {"rule": "invalid_choice"}),
        (CHECKS, {"rule": "stale", "threshold": 5}, {"threshold": "invalid"}),
        (CHECKS, {"rule": "stale", "threshold": "-1"}, {"threshold": "invalid"}),
        (CHECKS, {"rule": "stale", "threshold": "NaN"}, {"threshold": "invalid"}),
        (CHECKS, {"rule": "stale", "threshold": "1" * 42}, {"threshold": "invalid"}),
        (CHECKS, {"rule": "stale", "enabled": "no"}, {"enabled": "invalid"}),
        (CHECKS, {"rule": "stale", "treshold": "1"}, {"treshold": "unknown_field"}),
        (DRIFT, {"percent": "1.00001"}, {"percent": "invalid"}),
        (DRIFT, {"clean_syncs": 0}, {"clean_syncs": "invalid"}),
        (DRIFT, {"correction": "maybe"}, {"correction": "invalid_choice"}),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(world, where, body, wrong):
    answer = world.admin.post(where, body)

    assert fields_of(expect_problem(answer, 400)) == wrong


def test_two_settings_of_the_same_and_foreign_accounts_are_refused(world):
    same = {"rule": "unrealistic", "asset": "XAU"}
    assert world.admin.post(CHECKS, same).status_code == 400
    both = {"account": str(world.mine.main.pk), "asset": "GBP"}
    assert world.admin.post(DRIFT, both).status_code == 400
    foreign = world.admin.post(DRIFT, {"account": str(world.theirs.main.pk)})
    absent = world.admin.post(DRIFT, {"account": str(fixtures_api.absent())})

    assert foreign.content == absent.content
    assert fields_of(expect_problem(foreign, 400)) == {"account": "does_not_exist"}
    elsewhere = {"workspace": str(world.theirs.workspace.pk)}
    where = f"{CHECKS}{world.mine.check_setting.pk}/"
    assert world.admin.patch(where, elsewhere).status_code == 400
