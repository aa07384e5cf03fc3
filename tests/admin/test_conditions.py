"""Conditions typed as rows: every kind comes out as the API and a file say it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import Connection
from accounts.moneyjson import money
from automation import services
from automation.models import Rule
from automation.rules.conditions import FIELDS, OPERATORS

from .conftest import TYPED, hold
from .pages import adding, page, text, typed
from .test_rule_form import marked, other, writing

GBP = "GBP/2"


def rows(*told: dict[str, Any], **more) -> dict[str, str]:
    """Return what a browser sends for these rows of conditions."""
    sent = {
        f"conditions-{index}-{name}": str(value)
        for index, row in enumerate(told)
        for name, value in {"place": index, "level": 0, **row}.items()
    }
    return sent | {"conditions-TOTAL_FORMS": str(len(told))} | more


def balance(account, value: str, **more) -> dict[str, Any]:
    """Return the row of a balance that is at least `value`."""
    return {
        "what": "available",
        "account": account.pk,
        "op": ">=",
        "value": value,
    } | more


def told(account, minor: int, field: str = "available", op: str = ">=", asset=GBP):
    """Return a comparison as the API says it."""
    value = money(minor, asset)
    return {"account": str(account.pk), "field": field, "op": op, "value": value}


def made(browser, home, sent: dict[str, str]) -> Rule:
    answer = browser.post(adding(Rule), writing(home, **sent))
    assert answer.status_code == 302, [marked(answer), text(answer)]
    return Rule.objects.get(name="Lunch money")


def expect(browser, home, rule: Rule, wanted: dict[str, Any] | None) -> None:
    """Expect `wanted` of the API, of the file, and of the page saved untouched."""
    where = f"/api/v1/rules/{rule.pk}/"
    assert browser.get(where).json()["conditions"] == wanted
    file = services.export_rules(home.workspace, [rule])
    services.write_rule(
        home.workspace, services.rule_data(rule) | {"conditions": None}, rule=rule
    )
    services.import_rules(home.workspace, file)
    assert browser.get(where).json()["conditions"] == wanted
    answer = browser.post(page(rule), typed(browser.get(page(rule))))
    assert answer.status_code == 302, marked(answer)
    assert browser.get(where).json()["conditions"] == wanted


@pytest.mark.parametrize("field", FIELDS)
def test_every_comparison_can_be_typed(field, owner, home):
    row = {"what": field, "value": "£1,250.75"}
    wanted = {"field": field, "value": money(125_075, GBP)}
    if field == "date":
        row["value"] = wanted["value"] = "2026-12-24"
    if field in ("available", "total"):
        row["account"] = home.unread.pk
        wanted["account"] = str(home.unread.pk)

    rule = made(owner, home, rows(*(row | {"op": op} for op in OPERATORS)))

    every = [wanted | {"op": op} for op in OPERATORS]
    expect(owner, home, rule, {"all": every, "else": "skip"})


@pytest.mark.parametrize("how", ["all", "any"])
def test_rows_are_joined_by_and_or_by_or(how, owner, home):
    two = [balance(home.main, "5"), balance(home.bills, "7.50", what="total")]

    rule = made(owner, home, rows(*two, conditions_how=how))

    wanted = [told(home.main, 500), told(home.bills, 750, "total")]
    expect(owner, home, rule, {how: wanted, "else": "skip"})


def test_none_of_one_is_not(owner, home):
    rule = made(owner, home, rows(balance(home.main, "-1"), conditions_how="not"))

    expect(owner, home, rule, {"not": told(home.main, -100), "else": "skip"})


def test_none_of_many_is_not_any(owner, home):
    two = [balance(home.main, "5"), balance(home.bills, "7")]

    rule = made(owner, home, rows(*two, conditions_how="not"))

    wanted = {"any": [told(home.main, 500), told(home.bills, 700)]}
    expect(owner, home, rule, {"not": wanted, "else": "skip"})


def test_another_rule_may_run_instead(owner, home):
    instead = other(home)

    rule = made(
        owner, home, rows(balance(home.main, "5"), conditions_else=str(instead.pk))
    )

    wanted = {"all": [told(home.main, 500)], "else": str(instead.pk)}
    expect(owner, home, rule, wanted)


def test_groups_stand_inside_of_groups(owner, home):
    rule = made(
        owner,
        home,
        rows(
            balance(home.main, "1"),
            {"what": "any", "level": 0},
            balance(home.main, "2", level=1),
            {"what": "not", "level": 1},
            balance(home.main, "3", level=2),
            {"what": "all", "level": 2},
            balance(home.main, "4", level=3),
            {"what": "date", "op": "<", "value": "2027-01-01", "level": 3},
            balance(home.bills, "5", level=1),
            {"what": "amount", "op": ">", "value": "6"},
        ),
    )

    inmost = [told(home.main, 400), {"field": "date", "op": "<", "value": "2027-01-01"}]
    middle = {"not": {"any": [told(home.main, 300), {"all": inmost}]}}
    wanted = [
        told(home.main, 100),
        {"any": [told(home.main, 200), middle, told(home.bills, 500)]},
        {"field": "amount", "op": ">", "value": money(600, GBP)},
    ]
    expect(owner, home, rule, {"all": wanted, "else": "skip"})


def test_a_balance_elsewhere_is_compared_in_its_own_money(owner, home):
    elsewhere = Connection.objects.create(
        workspace=home.workspace, provider=TYPED, label="vault"
    )
    coins = hold(elsewhere, "coins", 5, asset="XBT/8")

    rule = made(owner, home, rows(balance(coins, "0.00000001")))

    wanted = {"all": [told(coins, 1, asset="XBT/8")], "else": "skip"}
    expect(owner, home, rule, wanted)


def test_rows_count_in_the_order_in_which_they_stand_on_the_page(owner, home):
    late = balance(home.main, "1", place=5)
    group = {"what": "any", "place": 1}
    inside = balance(home.bills, "2", place=2, level=1)

    rule = made(owner, home, rows(late, group, inside))

    wanted = [{"any": [told(home.bills, 200)]}, told(home.main, 100)]
    expect(owner, home, rule, {"all": wanted, "else": "skip"})


def stored(home, conditions: dict[str, Any]) -> Rule:
    data = services.rule_data(home.rule) | {"conditions": conditions}
    return services.write_rule(home.workspace, data, rule=home.rule)


def nest(test: dict[str, Any], depth: int) -> dict[str, Any]:
    for index in range(depth):
        test = {"all": [test]} if index % 2 else {"any": [test]}
    return test


KINDS = [
    lambda home: told(home.main, 1),
    lambda home: {"not": {"any": [told(home.main, 1)]}},
    lambda home: {"not": {"all": [told(home.main, 1), told(home.main, 2)]}},
    lambda home: {"not": {"not": {"not": told(home.main, 1)}}},
    lambda home: {"any": [{"all": []}, told(home.main, 1)]},
    lambda home: {"all": [{"not": {"any": []}}, told(home.main, 1)]},
    *(lambda home, d=depth: nest(told(home.main, 9), d) for depth in range(1, 9)),
]


@pytest.mark.parametrize("make", KINDS)
def test_what_others_wrote_is_kept_to_the_letter(make, owner, home):
    conditions = make(home) | {"else": "skip"}
    rule = stored(home, conditions)

    expect(owner, home, rule, conditions)


def test_what_is_too_deep_for_rows_is_shown_in_words(owner, home):
    rule = stored(home, nest(told(home.bills, 1_250), 6))

    shown = text(owner.get(page(rule)))

    assert "available balance of Home main › Home bills is at least £12.50" in shown
    assert "kept as it is" in shown


def test_an_account_that_was_closed_since_is_kept(owner, home):
    rule = stored(home, {"all": [told(home.unread, 1)]})
    home.unread.closed_at = home.unread.created
    home.unread.save()

    expect(owner, home, rule, {"all": [told(home.unread, 1)], "else": "skip"})


def test_a_struck_group_goes_with_all_that_stands_in_it(owner, home):
    rule = made(
        owner,
        home,
        rows(
            {"what": "any", "DELETE": "on"},
            balance(home.main, "1", level=1),
            balance(home.main, "2"),
        ),
    )

    expect(owner, home, rule, {"all": [told(home.main, 200)], "else": "skip"})


def test_without_rows_there_are_no_conditions(owner, home):
    rule = made(owner, home, rows(balance(home.main, "1", DELETE="on")))

    expect(owner, home, rule, None)


WRONG = [
    ({"value": "12.345"}, "value"),
    ({"value": "ten"}, "value"),
    ({"value": ""}, "value"),
    ({"account": ""}, "account"),
    ({"what": "date", "value": "31.12.2026"}, "value"),
    ({"what": "date", "value": ""}, "value"),
    ({"what": "amount", "value": "0.001"}, "value"),
    ({"what": "weather"}, "what"),
    ({"op": "~"}, "op"),
    ({"what": "any", "level": 0, "last": True}, "what"),
]


@pytest.mark.parametrize(("wrong", "field"), WRONG, ids=str)
@pytest.mark.parametrize("level", [0, 2])
def test_a_mistake_is_told_at_its_row(level, wrong, field, owner, home):
    around = [{"what": "not", "level": 0}, {"what": "any", "level": 1}][:level]
    bad = balance(home.main, "5", level=level) | wrong
    if bad.pop("last", False):
        bad["level"] = level
    before = [balance(home.bills, "1"), *around]

    answer = owner.post(adding(Rule), writing(home, **rows(*before, bad)))

    assert answer.status_code == 200
    assert not Rule.objects.filter(name="Lunch money").exists()
    assert marked(answer) == {f"conditions-{len(before)}-{field}"}


def test_another_rule_needs_a_condition(owner, home):
    sent = writing(home, conditions_else=str(other(home).pk))

    answer = owner.post(adding(Rule), sent)

    assert marked(answer) == {"conditions_else"}


def test_too_many_comparisons_are_told_above_the_rows(owner, home):
    many = [balance(home.main, "1")] * 51

    answer = owner.post(adding(Rule), writing(home, **rows(*many)))

    assert marked(answer) == {"conditions_how"}


def test_a_foreign_account_cannot_be_watched(owner, home, foreign):
    sent = rows(balance(foreign.main, "1"))

    answer = owner.post(adding(Rule), writing(home, **sent))

    assert marked(answer) == {"conditions-0-account"}
    assert "Elsewhere" not in answer.content.decode()


@pytest.mark.parametrize("kept", ["{", "7", json.dumps({"any": "x"}), ""])
def test_a_kept_part_that_was_tampered_with_is_refused(kept, owner, home):
    sent = rows({"what": "kept", "kept": kept})

    answer = owner.post(adding(Rule), writing(home, **sent))

    assert answer.status_code == 200
    assert any(name.startswith("conditions-0") for name in marked(answer))
