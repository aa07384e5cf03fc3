"""Rules from templates over REST, in the zone that somebody lives in."""

from __future__ import annotations

import pytest

from automation.models import Rule
from automation.services.templates import TEMPLATES
from tests.fixtures_api import ASSET, V1, expect_problem, fields_of

WHERE = f"{V1}/rule-templates/"
NOBODY = "00000000-0000-4000-8000-000000000000"


def gbp(amount: str) -> dict[str, str]:
    return {"asset": ASSET, "amount": amount}


@pytest.fixture
def bills(world) -> dict:
    answers = {
        "account": str(world.mine.main.pk),
        "pot": str(world.mine.pot.pk),
        "target": gbp("800.00"),
    }
    return {"template": "bills", "answers": answers}


def test_every_template_says_what_it_asks_and_which_accounts_fit(world):
    told = {t["slug"]: t for t in world.viewer.get(WHERE).json()["results"]}

    assert set(told) == set(TEMPLATES)
    asks = {ask["name"]: ask for ask in told["bills"]["asks"]}
    assert asks["account"]["accounts"] == [str(world.mine.main.pk)]
    assert asks["pot"]["accounts"] == [str(world.mine.pot.pk)]
    assert asks["day"]["choices"]["last"] == "the last day"


def test_the_rule_is_made_in_the_zone_that_is_told(world, bills):
    body = bills | {"timezone": "America/New_York", "name": "Rent"}
    told = world.admin.post(WHERE, body).json()

    assert (told["name"], told["timezone"]) == ("Rent", "America/New_York")
    assert told["enabled"] is False
    assert told["legs"][0]["keep"]["amount"] == "100.00"  # the answer at first
    assert told["legs"][1]["target"]["amount"] == "800.00"


def test_a_zone_that_is_left_out_is_that_of_the_newest_rule(world, bills):
    Rule.objects.filter(pk=world.mine.rule.pk).update(timezone="Asia/Tokyo")

    assert world.admin.post(WHERE, bills).json()["timezone"] == "Asia/Tokyo"


WRONG = [
    ({"target": "800.00"}, "answers.target", "money"),
    ({"target": {"asset": "EUR/2", "minor": "1"}}, "answers.target", "money"),
    ({"target": None}, "answers.target", "required"),
    ({"day": "32"}, "answers.day", "invalid_choice"),
    ({"day": 1}, "answers.day", "invalid"),
    ({"pot": NOBODY}, "answers.pot", "does_not_exist"),
    ({"colour": "red"}, "answers.colour", "unknown_field"),
]


@pytest.mark.parametrize(("wrong", "field", "code"), WRONG, ids=str)
def test_a_mistake_is_told_at_its_question(wrong, field, code, world, bills):
    bills["answers"] |= wrong

    told = expect_problem(world.admin.post(WHERE, bills), 400)

    assert fields_of(told) == {field: code}
    assert Rule.objects.filter(workspace=world.mine.workspace).count() == 1


def test_what_the_rule_itself_refuses_is_told_at_its_question(world, bills):
    bills["answers"]["target"] = gbp("-1.00")

    told = expect_problem(world.admin.post(WHERE, bills), 400, "rule_invalid")

    assert set(fields_of(told)) == {"answers.target"}


def test_a_zone_that_is_none_is_refused(world, bills):
    told = expect_problem(
        world.admin.post(WHERE, bills | {"timezone": "Mars/Olympus"}), 400
    )

    assert set(fields_of(told)) == {"timezone"}


def test_a_pot_of_somebody_else_does_not_fit(world, bills):
    bills["answers"]["pot"] = str(world.theirs.pot.pk)

    told = expect_problem(world.admin.post(WHERE, bills), 400)

    assert fields_of(told) == {"answers.pot": "does_not_exist"}
