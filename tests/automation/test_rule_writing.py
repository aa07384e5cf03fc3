"""Rules as they come in: everything wrong is told, by field, and nothing is kept."""

from __future__ import annotations

import json

import pytest

from accounts.models import Workspace
from automation import services
from automation.models import Rule, RuleLeg

from .conftest import Person, gbp, leg

pytestmark = pytest.mark.django_db


@pytest.fixture
def data(alice):
    """A rule that is right."""
    return {
        "name": "Payday",
        "kind": "autosort",
        "legs": [
            leg(alice.main, "source", keep=gbp(100_00)),
            leg(alice.pots[0], "priority", strategy="fixed", amount=gbp(150_00)),
            leg(alice.pots[1], "investment", strategy="share", share="0.70"),
            leg(alice.pots[2], "investment", order=1, strategy="equal"),
        ],
        "triggers": [{"kind": "monthly", "day": 31}, {"kind": "manual"}],
        "limits": {"per_run": gbp(5000_00)},
    }


def refused(alice, data) -> dict[str, str]:
    """Return code by field of everything that is wrong."""
    with pytest.raises(services.RuleInvalid) as caught:
        services.write_rule(alice.workspace, data)
    assert not Rule.objects.exists()
    assert all(problem.message for problem in caught.value.problems)
    return {problem.field: problem.code for problem in caught.value.problems}


def test_a_rule_comes_back_as_it_was_written(alice, data):
    rule = services.write_rule(alice.workspace, data)
    told = services.rule_data(rule)

    assert json.loads(json.dumps(told)) == told
    again = services.write_rule(alice.workspace, told, rule=rule)
    assert services.rule_data(again) | {"updated": 0} == told | {"updated": 0}


def test_a_trigger_that_stays_remembers_when_it_fired(alice, data):
    rule = services.write_rule(alice.workspace, data)
    before = set(rule.triggers.values_list("pk", flat=True))
    services.write_rule(alice.workspace, data | {"name": "Other"}, rule=rule)

    assert set(rule.triggers.values_list("pk", flat=True)) == before


CASES = {
    "share 50": (("legs", 2, "share"), "50", "legs.2.share", "invalid_share"),
    "share number": (("legs", 2, "share"), 0.7, "legs.2.share", "invalid_share"),
    "share 1e-1": (("legs", 2, "share"), "1e-1", "legs.2.share", "invalid_share"),
    "share 0": (("legs", 2, "share"), "0", "legs.2.share", "invalid_share"),
    "number": (("legs", 1, "amount"), 15000, "legs.1.amount", "invalid_amount"),
    "float": (("legs", 1, "amount"), 150.0, "legs.1.amount", "invalid_amount"),
    "nan": (
        ("legs", 1, "amount"),
        {"asset": "GBP/2", "minor": "NaN"},
        "legs.1.amount",
        "invalid_amount",
    ),
    "negative": (("legs", 1, "amount"), gbp(-1), "legs.1.amount", "negative_amount"),
    "zero": (("legs", 1, "amount"), gbp(0), "legs.1.amount", "zero_amount"),
    "other asset": (
        ("legs", 1, "amount"),
        {"asset": "EUR/2", "minor": "1"},
        "legs.1.amount",
        "wrong_asset",
    ),
    "unknown field": (("colour",), "red", "colour", "unknown_field"),
    "unknown leg field": (("legs", 1, "x"), 1, "legs.1.x", "unknown_field"),
    "unknown kind": (("kind",), "magic", "kind", "unknown_kind"),
    "round-ups": (
        ("legs", 1, "strategy"),
        "round_ups",
        "legs.1.strategy",
        "unsupported",
    ),
    "no account": (
        ("legs", 1, "account"),
        "00000000-0000-0000-0000-000000000000",
        "legs.1.account",
        "unknown_account",
    ),
    "account twice": (("legs", 2, "account"), None, "legs.2.account", None),
    "no name": (("name",), "", "name", "missing_name"),
    "name number": (("name",), 5, "name", "invalid"),
    "enabled text": (("enabled",), "yes", "enabled", "invalid"),
    "priority text": (("priority",), "1", "priority", "out_of_range"),
    "priority true": (("priority",), True, "priority", "out_of_range"),
    "zone": (("timezone",), "Mars/Base", "timezone", "unknown_timezone"),
    "stale": (
        ("max_staleness_seconds",),
        901,
        "max_staleness_seconds",
        "out_of_range",
    ),
    "conditions": (("conditions",), {"all": []}, "conditions", "unsupported"),
    "approval": (("approval",), "always", "approval", "unsupported"),
    "trigger kind": (("triggers", 0), {"kind": "x"}, "triggers.0.kind", "unknown_kind"),
    "later trigger": (
        ("triggers", 0),
        {"kind": "webhook"},
        "triggers.0.kind",
        "unsupported",
    ),
    "day 32": (("triggers", 0, "day"), 32, "triggers.0.day", "out_of_range"),
    "cron": (
        ("triggers", 0),
        {"kind": "cron", "expression": "x"},
        "triggers.0.expression",
        "invalid_cron",
    ),
    "legs": (("legs",), "all", "legs", None),
    "leg": (("legs", 1), 5, "legs.1", "not_an_object"),
    "limits": (
        ("limits", "per_run"),
        "5",
        "limits.per_run",
        "invalid_amount",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_mistake_is_named_at_its_field(case, alice, data):
    path, value, field, code = CASES[case]
    if case == "account twice":
        value = data["legs"][1]["account"]
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value

    found = refused(alice, data)

    assert field in found
    assert code in (None, found[field])


def test_all_mistakes_are_told_together(alice, data):
    data["legs"][2]["share"] = "50"
    data["triggers"][0]["day"] = "32"
    data["colour"] = "red"

    assert refused(alice, data).keys() == {"legs.2.share", "triggers.0.day", "colour"}


@pytest.mark.parametrize(
    "nonsense", [None, 5, "rule", [], {"legs": {}}, {"legs": [[]]}]
)
def test_what_is_no_rule_at_all_is_refused(alice, nonsense):
    assert refused(alice, nonsense)


def test_somebody_elses_account_is_as_good_as_none(alice, bank, data):
    other = Person(bank, Workspace.objects.create(name="elsewhere"), "bob")
    data["legs"][1]["account"] = str(other.pots[0].pk)

    assert refused(alice, data)["legs.1.account"] == "unknown_account"


def test_pots_of_different_accounts_cannot_be_one_rule(alice, bank, data):
    other = Person(bank, alice.workspace, "bob")
    data["legs"][1]["account"] = str(other.pots[0].pk)

    assert refused(alice, data)["legs.1.account"] == "different_parent"


def test_a_locked_pot_gives_no_money(alice, bank, data):
    bank.do("amend", id=alice.pots[0].external_id, locked=True)
    alice.sync()
    data = {
        "name": "x",
        "kind": "sweep",
        "legs": [
            leg(alice.pots[0], "source", strategy="all"),
            leg(alice.main, "target"),
        ],
    }

    assert refused(alice, data)["legs.0.account"] == "cannot_send"


def test_a_refused_change_leaves_the_rule_as_it_was(alice, data):
    rule = services.write_rule(alice.workspace, data)
    with pytest.raises(services.RuleInvalid):
        services.write_rule(alice.workspace, data | {"kind": "magic"}, rule=rule)

    rule.refresh_from_db()
    assert (rule.kind, RuleLeg.objects.count()) == ("autosort", 4)
