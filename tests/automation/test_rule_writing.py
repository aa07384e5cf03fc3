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


@pytest.fixture
def everything(alice, data, bank):
    """A rule that says all there is to say."""
    bank.do("amend", id=alice.pots[2].external_id, goal=5000_00)
    alice.sync()
    before = services.write_rule(alice.workspace, data | {"name": "Before"})
    instead = services.write_rule(alice.workspace, data | {"name": "Instead"})
    return {
        "name": "Payday",
        "kind": "autosort",
        "legs": [
            leg(alice.main, "source", keep_share="0.1"),
            leg(alice.pots[0], "bills", strategy="replenish", target=gbp(900_00)),
            leg(
                alice.pots[1],
                "goal",
                order=1,
                strategy="to_target",
                target=gbp(9_00),
                due="2027-06-01",
                max_share="0.3",
            ),
            {
                "accounts": "all_with_goal",
                "role": "goal",
                "order": 2,
                "strategy": "to_target",
                "cap": gbp(50_00),
            },
        ],
        "triggers": [
            {"kind": "manual"},
            {"kind": "payday", "pattern": "ACME"},
            {"kind": "monthly", "day": "last"},
        ],
        "pay_cycle": {"trigger": 2},
        "conditions": {
            "any": [
                {"not": {"field": "amount", "op": "<=", "value": gbp(5)}},
                {
                    "all": [
                        {
                            "account": str(alice.pots[2].pk),
                            "field": "total",
                            "op": "!=",
                            "value": gbp(-5),
                        },
                        {"field": "date", "op": ">=", "value": "2026-02-01"},
                    ]
                },
            ],
            "else": str(instead.pk),
        },
        "on_stale": "ask",
        "on_short": "retry_next",
        "notice_seconds": 3600,
        "approval": "first",
        "tolerance": gbp(5_00),
        "depends_on": [str(before.pk)],
    }


def plain(told):
    """Return what a rule tells with its money in minor units only."""
    if isinstance(told, list):
        return [plain(each) for each in told]
    if not isinstance(told, dict):
        return told
    money = "minor" in told
    return {k: plain(v) for k, v in told.items() if not (money and k == "amount")}


def test_everything_a_rule_can_say_comes_back_as_it_was_written(alice, everything):
    rule = services.write_rule(alice.workspace, everything)
    told = services.rule_data(rule)

    assert json.loads(json.dumps(told)) == told
    for name in everything.keys() - {"legs", "triggers"}:
        assert plain(told[name]) == everything[name]
    assert [row.get("accounts") for row in told["legs"]][-1] == "all_with_goal"
    assert told["legs"][2]["due"] == "2027-06-01"
    again = services.write_rule(alice.workspace, told, rule=rule)
    assert services.rule_data(again) | {"updated": 0} == told | {"updated": 0}


def test_a_pay_cycle_stays_with_its_trigger_when_others_move(alice, everything):
    rule = services.write_rule(alice.workspace, everything)
    told = services.rule_data(rule)
    told["triggers"] = [{"kind": "weekly", "weekday": 1}, told["triggers"][2]]
    told["pay_cycle"] = {"trigger": 1}

    again = services.rule_data(services.write_rule(alice.workspace, told, rule=rule))

    paid = again["triggers"][again["pay_cycle"]["trigger"]]
    assert paid == {"kind": "monthly", "day": "last"} | paid


@pytest.mark.parametrize("name", ["depends_on", "conditions"])
def test_rules_that_would_go_round_in_a_circle_are_refused(name, alice, everything):
    rule = services.write_rule(alice.workspace, everything)
    other = Rule.objects.get(name="Before" if name == "depends_on" else "Instead")
    told = services.rule_data(other)
    told["depends_on"] = [str(rule.pk)]

    if name == "conditions":
        told["depends_on"] = []
        told["conditions"] = everything["conditions"] | {"else": str(rule.pk)}
    with pytest.raises(services.RuleInvalid) as caught:
        services.write_rule(alice.workspace, told, rule=other)

    assert {problem.code for problem in caught.value.problems} == {"circle"}


def test_a_rule_of_another_workspace_is_as_good_as_none(alice, bank, data):
    elsewhere = Person(bank, Workspace.objects.create(name="elsewhere"), "bob")
    theirs = elsewhere.rule(
        "sweep",
        leg(elsewhere.main, "source", strategy="all"),
        leg(elsewhere.pots[0], "target"),
    )
    data["depends_on"] = [str(theirs.pk)]
    with pytest.raises(services.RuleInvalid, match="no such rule"):
        services.write_rule(alice.workspace, data)


def test_round_ups_are_refused_of_a_pot(alice):
    with pytest.raises(services.RuleInvalid, match="is a pot"):
        alice.rule(
            "sweep",
            leg(alice.pots[0], "source", strategy="round_ups", unit=gbp(100)),
            leg(alice.main, "target"),
        )


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
        "unknown_strategy",
    ),
    "due": (("legs", 1, "due"), "2027-6-1", "legs.1.due", "invalid"),
    "due nowhere": (("legs", 1, "due"), "2027-02-30", "legs.1.due", "invalid"),
    "multiplier": (("legs", 1, "multiplier"), 1.5, "legs.1.multiplier", "out_of_range"),
    "accounts": (("legs", 1, "accounts"), "all", "legs.1.accounts", "unknown_choice"),
    "nobody": (("legs", 1, "account"), None, "legs.1.account", "missing_account"),
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
    "stale at once": (
        ("max_staleness_seconds",),
        0,
        "max_staleness_seconds",
        "out_of_range",
    ),
    "late at once": (
        ("max_lateness_seconds",),
        59,
        "max_lateness_seconds",
        "out_of_range",
    ),
    "conditions": (("conditions",), {"all": []}, "conditions", "empty"),
    "conditions text": (("conditions",), "yes", "conditions", "not_an_object"),
    "two groups": (("conditions",), {"all": [], "any": []}, "conditions", "invalid"),
    "unknown test": (
        ("conditions",),
        {"not": {"field": "date", "op": "<", "value": "2026-01-01", "x": 1}},
        "conditions.not.x",
        "unknown_field",
    ),
    "no value": (
        ("conditions",),
        {"all": [{"field": "amount", "op": "<"}]},
        "conditions.all.0.value",
        "missing_value",
    ),
    "number value": (
        ("conditions",),
        {"all": [{"field": "amount", "op": "<", "value": 5}]},
        "conditions.all.0.value",
        "invalid_amount",
    ),
    "no date": (
        ("conditions",),
        {"any": [{"field": "date", "op": "<", "value": "today"}]},
        "conditions.any.0.value",
        "invalid",
    ),
    "no operator": (
        ("conditions",),
        {"any": [{"field": "date", "op": "==", "value": "2026-01-01"}]},
        "conditions.any.0.op",
        "unknown_choice",
    ),
    "else in a group": (
        ("conditions",),
        {"not": {"field": "date", "op": "<", "value": "2026-01-01", "else": "skip"}},
        "conditions.not.else",
        "unknown_field",
    ),
    "else": (
        ("conditions",),
        {"field": "date", "op": "<", "value": "2026-01-01", "else": "go"},
        "conditions.else",
        "unknown_rule",
    ),
    "foreign condition": (
        ("conditions",),
        {
            "account": "00000000-0000-0000-0000-000000000000",
            "field": "total",
            "op": "<",
            "value": gbp(5),
        },
        "conditions.account",
        "unknown_account",
    ),
    "approval": (("approval",), "often", "approval", "unknown_choice"),
    "notice": (("notice_seconds",), -1, "notice_seconds", "out_of_range"),
    "tolerance": (("tolerance",), "5", "tolerance", "invalid_amount"),
    "depends on nothing": (
        ("depends_on",),
        ["00000000-0000-0000-0000-000000000000"],
        "depends_on.0",
        "unknown_rule",
    ),
    "depends on 5": (("depends_on",), [5], "depends_on.0", "invalid"),
    "pay day": (("pay_cycle",), {"day": 32}, "pay_cycle.day", "out_of_range"),
    "pay trigger": (
        ("pay_cycle",),
        {"trigger": 2},
        "pay_cycle.trigger",
        "unknown_trigger",
    ),
    "pay by hand": (
        ("pay_cycle",),
        {"trigger": 1},
        "pay_cycle.trigger",
        "not_allowed",
    ),
    "pay both": (
        ("pay_cycle",),
        {"trigger": 0, "day": 5},
        "pay_cycle.day",
        "not_allowed",
    ),
    "trigger kind": (("triggers", 0), {"kind": "x"}, "triggers.0.kind", "unknown_kind"),
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


def test_a_rule_whose_accounts_would_be_refused_today_is_switched_off(alice, data):
    rule = services.write_rule(alice.workspace, data)
    alice.pots[0].can_receive = False
    alice.pots[0].save()
    told = services.rule_data(rule)
    with pytest.raises(services.RuleInvalid):
        services.write_rule(alice.workspace, told, rule=rule)

    kept = services.write_rule(alice.workspace, told | {"enabled": False}, rule=rule)

    assert not kept.enabled
    with pytest.raises(services.RuleInvalid):
        services.write_rule(alice.workspace, told, rule=kept)
    rule.refresh_from_db()
    assert not rule.enabled


def test_a_rule_from_when_nothing_could_be_young_enough_is_told_when_it_is_written(
    alice, data
):
    rule = services.write_rule(alice.workspace, data)
    Rule.objects.update(max_staleness_seconds=0, max_lateness_seconds=0)
    rule.refresh_from_db()

    told = services.rule_data(rule)
    assert services.preview(rule).outcome == "skipped_stale"
    assert "max_lateness_seconds: 0" in services.export_rules(alice.workspace)
    with pytest.raises(services.RuleInvalid) as caught:
        services.write_rule(alice.workspace, told, rule=rule)

    assert {p.field: p.message for p in caught.value.problems} == {
        "max_staleness_seconds": "A whole number from 1 to 900",
        "max_lateness_seconds": "A whole number from 60 to 2678400",
    }


def test_what_no_database_holds_is_refused_by_name(alice, data):
    triggers = [
        {"kind": "daily", "anchor": "0001-01-01T00:00:00+14:00"},
        {"kind": "interval", "minutes": 5, "anchor": "9999-12-31T23:59:59-14:00"},
    ]

    assert refused(alice, data | {"name": "\ud800", "triggers": triggers}) == {
        "name": "invalid",
        "triggers.0.anchor": "invalid",
        "triggers.1.anchor": "invalid",
    }
