"""One rule over two banks: each may start and decide it, and money stays where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.test import TestCase

import providers
from automation import services, tasks
from automation.services import RuleInvalid
from providers.sandbox import serve
from tests.fixtures_bank import BANKS

from .conftest import Person, gbp, leg
from .triggers.conftest import beat

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@dataclass
class Household:
    """What one person has at the bank where money moves, and at the other one."""

    here: Person
    there: Person

    def hear(self) -> None:
        """Sync the other bank, and let the news of it reach everybody."""
        with TestCase.captureOnCommitCallbacks(execute=True):
            self.there.sync()


@pytest.fixture(params=[(0, 1), (1, 0)], ids=["there and back", "back and there"])
def home(request, settings, workspace) -> Iterator[Household]:
    assert len(BANKS) > 1
    with serve(*BANKS) as town:
        settings.PROVIDER_URLS = town.urls()
        here, there = (town[BANKS[number]] for number in request.param)
        people = Person(here, workspace, "alice"), Person(there, workspace, "alice")
        for person in people:
            person.fill(person.main, 500_00)
            person.sync()
        yield Household(*people)


def topup(person: Person, **more):
    return person.rule(
        "topup",
        leg(person.main, "source"),
        leg(person.pots[0], "target", strategy="fixed", amount=gbp(10_00)),
        **more,
    )


def test_balance_at_one_bank_decides_a_rule_at_the_other(home, run):
    told = {"account": str(home.there.main.pk), "field": "total", "op": ">="}
    rule = topup(home.here, conditions={"all": [told | {"value": gbp(500_01)}]})
    assert run(rule, "one").status == "skipped_condition"

    home.there.fill(home.there.main, 500_01)  # nobody has told us

    assert run(rule, "two").status == "succeeded"
    assert home.here.holds(home.here.pots[0]) == 10_00
    assert home.there.holds(home.there.main) == 500_01


def test_balance_at_one_bank_starts_a_rule_at_the_other(home):
    trigger = {"kind": "balance", "account": str(home.there.pots[0].pk)}
    topup(home.here, triggers=[trigger | {"above": gbp(20_00)}])
    assert services.dispatch_due_rules() == []

    home.there.fill(home.there.pots[0], 25_00)
    home.hear()

    beat()
    assert home.here.holds(home.here.pots[0]) == 10_00
    assert home.there.holds(home.there.pots[0]) == 25_00


def test_rule_at_one_bank_goes_after_a_rule_at_the_other(home):
    first = topup(home.there)
    second = topup(home.here, triggers=[{"kind": "after_rule", "rule": str(first.pk)}])
    started, _ = services.start_run(first, "one", trigger_kind="manual")
    with TestCase.captureOnCommitCallbacks(execute=True):
        tasks.execute_run(str(started.pk))

    beat()

    assert second.runs.get().status == "succeeded"
    for person in (home.here, home.there):
        assert person.holds(person.pots[0]) == 10_00
        assert person.holds(person.main) == 490_00


@pytest.mark.parametrize("pot", [False, True], ids=["account", "pot"])
@pytest.mark.parametrize("kind", ["topup", "sweep", "autosort"])
def test_leg_from_one_bank_to_the_other_is_refused_when_it_is_written(home, kind, pot):
    abroad = home.there.pots[0] if pot else home.there.main
    into = {"strategy": "fixed", "amount": gbp(1_00)}
    legs = {
        "topup": [leg(home.here.main, "source"), leg(abroad, "target", **into)],
        "sweep": [
            leg(home.here.main, "source", strategy="above", keep=gbp(0)),
            leg(abroad, "target"),
        ],
        "autosort": [
            leg(home.here.main, "source"),
            leg(abroad, "bills", order=1, **into),
        ],
    }

    with pytest.raises(RuleInvalid) as raised:
        home.here.rule(kind, *legs[kind])

    told = [
        problem
        for problem in raised.value.problems
        if problem.field == "legs.1.account"
    ]
    assert told
    names = {providers.load(slug).name for slug in BANKS[:2]}
    assert any(all(name in problem.message for name in names) for problem in told)
