"""What if: balances that a person types, money that comes in, and what the rule does."""

from __future__ import annotations

import pytest
from django.urls import reverse

from automation import services
from automation.models import Rule, RuleRun, Transfer

from .pages import page, text, typed, verb


def where(rule) -> str:
    return reverse("admin:automation_rule_simulate", args=[rule.pk])


@pytest.fixture
def sweep(home) -> Rule:
    """A rule that saves all above £500, if the payment that set it off is £1,000."""
    keep = {"asset": "GBP/2", "amount": "500.00"}
    legs = [
        {
            "account": str(home.main.pk),
            "role": "source",
            "strategy": "above",
            "keep": keep,
        },
        {"account": str(home.bills.pk), "role": "target", "order": 1},
    ]
    value = {"asset": "GBP/2", "amount": "1000.00"}
    salary = {"field": "amount", "op": ">=", "value": value}
    told = {"name": "Save", "kind": "sweep", "legs": legs}
    return services.write_rule(home.workspace, told | {"conditions": {"all": [salary]}})


def ask(browser, rule, **more):
    sent = typed(browser.get(where(rule)), "simulate-form")
    return browser.post(where(rule), sent | more)


def test_the_page_starts_with_what_is_free_now(operator, home):
    sent = typed(operator.get(where(home.rule)), "simulate-form")

    assert sent[f"held_{home.main.pk}"] == "1423.87"
    assert sent[f"held_{home.bills.pk}"] == "612.50"
    assert sent["into"] == str(home.main.pk)


def test_typed_balances_are_planned_with_their_trace(operator, home):
    told = text(ask(operator, home.rule, **{f"held_{home.main.pk}": "£1,000.00"}))

    assert "1 move, £50.12 in all" in told
    assert "£1,000.00 -£50.12 £949.88" in told
    assert "£612.50 + £50.12 £662.62" in told
    assert "Decision, step by step" in told


def test_what_comes_in_is_added_and_counts_as_what_set_it_off(operator, home, sweep):
    without = text(ask(operator, sweep))
    told = text(ask(operator, sweep, inflow="2,000"))

    assert "The conditions do not hold" in without
    assert "The transaction is £2,000.00" in told
    assert "£2,923.87" in told  # 1,423.87 + 2,000.00 - 500.00


def test_another_day_counts_in_the_zone_of_the_rule(operator, home):
    told = text(ask(operator, home.rule, at="2027-07-01T08:30"))

    assert "Planned for Thu 1 Jul 2027, 08:30 (Europe/London)" in told


def test_nothing_is_written(operator, home):
    before = RuleRun.objects.count(), Transfer.objects.count(), Rule.objects.count()

    ask(operator, home.rule, inflow="5")

    after = RuleRun.objects.count(), Transfer.objects.count(), Rule.objects.count()
    assert after == before


WRONG = [("held", "ten"), ("held", "1.005"), ("inflow", "-5"), ("at", "soon")]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_mistake_is_told_at_its_field(name, value, operator, home):
    field = f"held_{home.main.pk}" if name == "held" else name

    shown = ask(operator, home.rule, **{field: value})

    assert list(shown.context_data["form"].errors) == [field]
    assert "plan" not in shown.context_data


def test_money_does_not_come_into_an_account_nobody_knows(operator, home):
    home.main.balance.delete()

    shown = ask(operator, home.rule, inflow="5")

    assert list(shown.context_data["form"].errors) == [f"held_{home.main.pk}"]


def test_the_page_of_a_rule_leads_there(operator, home):
    shown = operator.get(page(home.rule))

    assert verb(home.rule, "simulate") in shown.content.decode()
    assert operator.post(verb(home.rule, "simulate")).url == where(home.rule)


def test_only_operators_of_the_workspace_may_ask(viewer, operator, home, foreign):
    assert viewer.get(where(home.rule)).status_code == 403
    assert operator.get(where(foreign.rule)).status_code == 404
