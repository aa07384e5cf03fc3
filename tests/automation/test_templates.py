"""Templates: what a newcomer picks makes a rule that moves what it says."""

from __future__ import annotations

import pytest

from accounts.models import Account
from automation import services
from automation.models import Rule
from automation.services.starting import fitting, start_rule, tried
from automation.services.templates import ACCOUNT, POT, TEMPLATES
from tests.fixtures_api import account, cash_slug, connection

from .conftest import Person

pytestmark = pytest.mark.django_db


def answers(alice: Person, slug: str) -> dict:
    """What somebody would answer, sensibly."""
    first, second, _ = alice.pots
    return {
        "payday": {
            "income": "1500.00",
            "payer": "ACME",
            "keep": "100.00",
            "bills": first,
            "bills_amount": "650.50",
            "savings": second,
            "share": "0.5",
        },
        "round-ups": {"pot": first, "unit": "1", "multiplier": "2", "keep": "50.00"},
        "bills": {"pot": first, "target": "300.00", "keep": "100.00", "day": "last"},
        "emergency-fund": {
            "pot": first,
            "target": "3000.00",
            "amount": "25.00",
            "keep": "100.00",
            "weekday": "5",
        },
    }[slug] | {"account": alice.main}


@pytest.mark.parametrize("slug", TEMPLATES)
def test_each_template_makes_a_rule_that_is_switched_off(alice, slug):
    template = TEMPLATES[slug]

    rule = start_rule(template, alice.workspace, answers(alice, slug))

    assert (rule.name, rule.enabled) == (template.title, False)
    told = services.rule_data(rule)
    services.write_rule(alice.workspace, told | {"enabled": True}, rule=rule)


@pytest.mark.parametrize("slug", TEMPLATES)
def test_each_template_says_what_it_does_and_where_its_answers_go(slug):
    template = TEMPLATES[slug]

    assert template.summary.endswith(".")
    assert len(template.steps) >= 3
    places = [ask.place for ask in template.asks]
    assert len(set(places)) == len(places)
    assert [template.field_of(place) for place in places] == [
        ask.name for ask in template.asks
    ]


PLANS = {
    "payday": {0: 650_50, 1: 624_75},  # half of 2000.00 - 100.00 - 650.50
    "bills": {0: 300_00},
    "emergency-fund": {0: 25_00},
}


@pytest.mark.parametrize("slug", PLANS)
def test_the_plan_that_is_shown_is_what_the_words_say(alice, slug):
    alice.fill(alice.main, 2000_00)
    alice.sync()

    plan = tried(TEMPLATES[slug], alice.workspace, answers(alice, slug))

    assert {move.target: move.amount for move in plan.moves} == {
        str(alice.pots[number].pk): amount for number, amount in PLANS[slug].items()
    }
    assert not Rule.objects.exists()


def test_a_preview_reads_first_where_the_balances_are_old(alice):
    alice.fill(alice.main, 2000_00)
    for held in (alice.main, *alice.pots):
        balance = held.balance
        balance.fetched_at = balance.as_of = balance.as_of.replace(year=2020)
        balance.save()

    plan = tried(TEMPLATES["bills"], alice.workspace, answers(alice, "bills"))

    assert plan.outcome == "planned"


def test_a_pot_of_another_account_is_refused_at_its_question(alice, bank):
    other = Person(bank, alice.workspace, "bob")
    wrong = answers(alice, "bills") | {"pot": other.pots[0]}

    with pytest.raises(services.RuleInvalid) as caught:
        start_rule(TEMPLATES["bills"], alice.workspace, wrong)

    fields = [TEMPLATES["bills"].field_of(p.field) for p in caught.value.problems]
    assert "pot" in fields


def test_only_accounts_that_fit_are_offered(alice):
    purse = account(connection(alice.workspace, cash_slug()), "Purse", 5)
    closed, locked, fine = alice.pots
    Account.objects.filter(pk=closed.pk).update(closed_at=closed.created)
    Account.objects.filter(pk=locked.pk).update(can_receive=False)

    assert fitting([alice.workspace], ACCOUNT) == [alice.main]
    assert fitting([alice.workspace], POT) == [fine]
    assert purse not in fitting([alice.workspace], ACCOUNT)


def test_an_account_without_open_pots_is_not_offered(alice):
    Account.objects.filter(parent=alice.main).update(closed_at=alice.main.created)

    assert fitting([alice.workspace], ACCOUNT) == []
