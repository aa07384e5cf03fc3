"""Rules over REST: written strictly, read back as written, archived, never lost."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from automation.models import Rule, RuleLeg
from tests.fixtures_api import ASSET, V1, absent, expect_problem, fields_of, member


def gbp(minor: int) -> dict[str, str]:
    return {"asset": ASSET, "minor": str(minor)}


@pytest.fixture
def autosort(world) -> dict[str, Any]:
    return {
        "name": "Payday",
        "kind": "autosort",
        "legs": [
            {
                "account": str(world.mine.main.pk),
                "role": "source",
                "order": 0,
                "keep": gbp(10_000),
            },
            {
                "account": str(world.mine.pot.pk),
                "role": "investment",
                "order": 1,
                "strategy": "share",
                "share": "0.70",
                "cap": gbp(50_000),
            },
        ],
        "triggers": [{"kind": "payday", "min_amount": gbp(100_000), "pattern": "ACME"}],
        "limits": {"per_run": gbp(90_000)},
    }


def write(world, body):
    return world.admin.post(f"{V1}/rules/", body)


def written(told) -> dict[str, Any]:
    """Return `told` without what the clock decides."""
    return {**told, "updated": None, "next_due_at": None}


def path(told) -> str:
    return f"{V1}/rules/{told['id']}/"


def test_rule_reads_back_as_it_was_written(world, autosort):
    answer = write(world, autosort)

    assert answer.status_code == 201, answer.content
    told = world.viewer.get(path(answer.json())).json()
    assert told == answer.json()
    assert told["workspace"] == str(world.mine.workspace.pk)
    assert (told["asset"], told["enabled"], told["timezone"]) == (
        ASSET,
        True,
        "Europe/London",
    )
    assert told["legs"][1]["share"] == "0.7"
    assert told["legs"][1]["cap"]["amount"] == "500.00"
    assert told["triggers"][0]["min_amount"]["minor"] == "100000"
    assert told["limits"]["per_run"]["minor"] == "90000"


def test_what_was_read_can_be_put_back_unchanged(world, autosort):
    told = write(world, autosort).json()

    again = world.admin.put(path(told), told)

    assert again.status_code == 200, again.content
    assert written(again.json()) == written(told)


def test_put_sets_what_is_left_out_to_its_default(world, autosort):
    told = write(world, autosort | {"priority": 5, "enabled": False}).json()

    again = world.admin.put(path(told), autosort).json()

    assert (again["priority"], again["enabled"]) == (100, True)


def test_patch_leaves_what_it_does_not_name(world, autosort):
    told = write(world, autosort | {"priority": 5}).json()

    again = world.admin.patch(path(told), {"enabled": False}).json()

    assert again["enabled"] is False
    assert written(again) == written(told) | {"enabled": False}


def test_refused_change_leaves_the_rule_as_it_was(world, autosort):
    told = write(world, autosort).json()
    legs = copy.deepcopy(told["legs"])
    legs[1]["share"] = "50"

    expect_problem(world.admin.patch(path(told), {"legs": legs}), 400, "rule_invalid")

    assert world.viewer.get(path(told)).json() == told


@pytest.mark.parametrize("name", ["id", "workspace"])
def test_rule_stays_itself_and_in_its_workspace(world, autosort, name):
    told = write(world, autosort).json()
    both = member(
        "both", (world.mine.workspace, "admin"), (world.theirs.workspace, "admin")
    )

    answer = both.patch(path(told), {name: str(world.theirs.workspace.pk)})

    assert fields_of(expect_problem(answer, 400)) == {name: "read_only"}


BAD_SHARES = [
    *("50", "0", "1.01", "1e-1", " 0.5", "0.5 ", ".5", "+0.5", "-0.5", "0,5", "٠.٥"),
    *("0.0", "NaN", "Infinity", "", "0.70%", 0.5, 1, True, None, [], {}),
]


@pytest.mark.parametrize("share", BAD_SHARES, ids=repr)
def test_share_is_a_plain_decimal_of_at_most_one(world, autosort, share):
    autosort["legs"][1]["share"] = share

    told = expect_problem(write(world, autosort), 400, "rule_invalid")

    assert "legs.1.share" in fields_of(told)


BAD_MONEY = [
    *(100, 100.0, "100", True, [], {}),
    {"asset": ASSET},
    {"asset": ASSET, "minor": 100},
    {"asset": ASSET, "minor": "1_000"},
    {"asset": ASSET, "minor": "NaN"},
    {"asset": ASSET, "minor": "-1"},
    {"asset": ASSET, "minor": "1.5"},
    {"asset": ASSET, "amount": "0.001"},
    {"asset": ASSET, "minor": "５"},
    {"asset": ASSET, "minor": str(10**78)},
    {"asset": "EUR/2", "minor": "100"},
    {"asset": "GBP/3", "minor": "100"},
]


@pytest.mark.parametrize("money", BAD_MONEY, ids=repr)
@pytest.mark.parametrize("place", ["keep", "cap", "per_run", "min_amount", "round_to"])
def test_money_is_an_exact_object_of_strings_everywhere(world, autosort, money, place):
    home, field = {
        "keep": (autosort["legs"][0], "legs.0.keep"),
        "cap": (autosort["legs"][1], "legs.1.cap"),
        "per_run": (autosort["limits"], "limits.per_run"),
        "min_amount": (autosort["triggers"][0], "triggers.0.min_amount"),
        "round_to": (autosort, "round_to"),
    }[place]
    home[place] = money

    told = expect_problem(write(world, autosort), 400, "rule_invalid")

    assert list(fields_of(told)) == [field]
    assert Rule.objects.filter(workspace=world.mine.workspace).count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"kind": "lottery"}, "kind"),
        ({"kind": None}, "kind"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"enabled": "yes"}, "enabled"),
        ({"priority": "1_0"}, "priority"),
        ({"priority": 1.0}, "priority"),
        ({"priority": True}, "priority"),
        ({"max_staleness_seconds": 901}, "max_staleness_seconds"),
        ({"max_staleness_seconds": 0}, "max_staleness_seconds"),
        ({"max_lateness_seconds": 59}, "max_lateness_seconds"),
        ({"on_stale": "guess"}, "on_stale"),
        ({"on_short": "hope"}, "on_short"),
        ({"rest": "spend"}, "rest"),
        ({"legs": "all"}, "legs"),
        ({"legs": []}, "legs"),
        ({"legs": [5]}, "legs.0"),
        ({"triggers": [{"kind": "moon"}]}, "triggers.0.kind"),
        ({"triggers": [{"kind": "monthly", "day": 32}]}, "triggers.0.day"),
        ({"triggers": [{"kind": "monthly", "day": "32"}]}, "triggers.0.day"),
        ({"triggers": [{"kind": "monthly", "day": 0}]}, "triggers.0.day"),
        ({"triggers": [{"kind": "daily", "hour": 24}]}, "triggers.0.hour"),
        ({"triggers": [{"kind": "weekly", "weekday": 8}]}, "triggers.0.weekday"),
        (
            {"triggers": [{"kind": "cron", "expression": "often"}]},
            "triggers.0.expression",
        ),
        ({"triggers": [{"kind": "interval", "minutes": 0}]}, "triggers.0.minutes"),
        ({"colour": "red"}, "colour"),
        ({"limits": {"per_year": gbp(1)}}, "limits.per_year"),
        ({"limits": 5}, "limits"),
    ],
    ids=repr,
)
def test_odd_rules_are_400_and_name_the_place(world, autosort, change, field):
    answer = write(world, autosort | change)

    told = fields_of(expect_problem(answer, 400, "rule_invalid"))
    assert any(name == field or name.startswith(f"{field}.") for name in told), told


@pytest.mark.parametrize(
    ("leg", "change", "field"),
    [
        (1, {"account": "x"}, "legs.1.account"),
        (1, {"account": 5}, "legs.1.account"),
        (1, {"role": "thief"}, "legs.1.role"),
        (1, {"strategy": "all"}, "legs.1.strategy"),
        (1, {"share": None}, "legs.1.share"),
        (1, {"colour": "red"}, "legs.1.colour"),
        (1, {"order": "1"}, "legs.1.order"),
        (0, {"share": "0.5"}, "legs.0.share"),
    ],
    ids=repr,
)
def test_odd_legs_are_400_and_name_the_place(world, autosort, leg, change, field):
    autosort["legs"][leg] |= change

    assert field in fields_of(
        expect_problem(write(world, autosort), 400, "rule_invalid")
    )


@pytest.mark.parametrize("whose", ["theirs", "nobody's"])
def test_account_of_somebody_else_is_unknown(world, autosort, whose):
    pk = world.theirs.pot.pk if whose == "theirs" else absent()
    autosort["legs"][1]["account"] = str(pk)

    told = expect_problem(write(world, autosort), 400, "rule_invalid")

    assert fields_of(told) == {"legs.1.account": "unknown_account"}


def test_same_account_twice_is_400(world, autosort):
    autosort["legs"].append(copy.deepcopy(autosort["legs"][1]) | {"share": "0.1"})

    told = expect_problem(write(world, autosort), 400, "rule_invalid")

    assert fields_of(told)["legs.2.account"] == "duplicate_account"


def test_every_mistake_is_told_at_once(world, autosort):
    autosort["legs"][0]["keep"] = 5
    autosort["legs"][1]["share"] = "50"
    autosort["timezone"] = "x"

    told = fields_of(expect_problem(write(world, autosort), 400))

    assert {"legs.0.keep", "legs.1.share", "timezone"} <= set(told)


def test_the_thirty_first_is_a_day(world, autosort):
    autosort["triggers"] = [{"kind": "monthly", "day": 31}]

    told = write(world, autosort).json()

    assert told["next_due_at"] is not None


def test_a_trigger_that_cannot_fire_is_told_and_may_be_sent_back(world):
    trigger = world.mine.rule.triggers.first()
    url = f"{V1}/rules/{world.mine.rule.pk}/"
    assert world.viewer.get(url).json()["problems"] == []
    trigger.problem = "There are no holidays XX"
    trigger.save()

    told = world.viewer.get(url).json()

    assert told["problems"] == [
        {"field": "triggers.0", "message": "There are no holidays XX"}
    ]
    again = world.admin.patch(url, {"problems": told["problems"]}, format="json")
    assert (again.status_code, again.json()["problems"]) == (200, [])


def test_delete_archives_and_may_be_repeated(world):
    rule = world.mine.rule
    for _ in range(2):
        assert world.admin.delete(f"{V1}/rules/{rule.pk}/").status_code == 204

    told = world.viewer.get(f"{V1}/rules/{rule.pk}/").json()
    assert told["archived_at"] is not None
    assert told["next_due_at"] is None
    assert world.viewer.get(f"{V1}/rules/").json()["results"] == []
    everything = world.viewer.get(f"{V1}/rules/?archived=true").json()
    assert len(everything["results"]) == 1
    expect_problem(world.admin.patch(path(told), {"name": "x"}), 409, "archived")
    assert RuleLeg.objects.filter(rule=rule).count() == 2


def test_filters_narrow_the_list(world, autosort):
    write(world, autosort | {"enabled": False})

    def kinds(query):
        told = world.viewer.get(f"{V1}/rules/?{query}").json()["results"]
        return [row["kind"] for row in told]

    assert kinds("kind=autosort") == ["autosort"]
    assert kinds("enabled=true") == ["sweep"]
    assert kinds(f"workspace={world.theirs.workspace.pk}") == []


def test_list_takes_as_many_queries_for_many_as_for_one(
    world, autosort, django_assert_max_num_queries
):
    for number in range(12):
        assert write(world, autosort | {"name": str(number)}).status_code == 201
    with django_assert_max_num_queries(6):
        told = world.viewer.get(f"{V1}/rules/").json()
    assert len(told["results"]) == 13
