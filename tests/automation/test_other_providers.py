"""Balances where nothing can be moved start and decide rules elsewhere; nothing moves there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.test import TestCase

import providers
from accounts import services as accounts
from accounts.models import Account, Connection
from automation import services
from automation.services import RuleInvalid
from providers.base import MovesMoney
from providers.sandbox import registry, serve
from providers.sandbox.institution import Institution
from tests.fixtures_bank import BANK

from .conftest import at_least, gbp, leg

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
READ_ONLY = [
    slug
    for slug in registry.slugs()
    if not issubclass(providers.load(slug), MovesMoney)
]


@dataclass
class Elsewhere:
    """What Alice has at an institution where balsync can only look."""

    there: Institution
    connection: Connection
    account: Account

    def sync(self) -> None:
        self.connection.refresh_from_db()
        with TestCase.captureOnCommitCallbacks(execute=True):
            accounts.sync([self.connection], "manual")

    def amount(self, minor: int) -> dict[str, str]:
        return {"asset": self.account.asset, "minor": str(minor)}

    def now(self, field: str = "total") -> int:
        balance = Account.objects.get(pk=self.account.pk).balance
        return int(getattr(balance, field))


@pytest.fixture(params=READ_ONLY)
def elsewhere(request, alice, settings):
    with serve(request.param) as box:
        settings.PROVIDER_URLS = {**settings.PROVIDER_URLS, **box.urls()}
        there = box[request.param]
        customer = there.demo_world()
        connection = accounts.connect(
            alice.workspace, request.param, customer.credentials
        )
        accounts.sync([connection], "manual")
        name = customer.account.external_id
        account = Account.objects.get(connection=connection, external_id=name)
        yield Elsewhere(there, connection, account)


def test_balance_elsewhere_decides_a_rule_at_the_bank(alice, elsewhere, run):
    alice.fill(alice.main, 100_00)
    least = elsewhere.now() + 1
    rule = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[0], "target", strategy="fixed", amount=gbp(10_00)),
        conditions=at_least(elsewhere.account, "total", elsewhere.amount(least)),
    )
    assert run(rule, "one").status == "skipped_condition"

    elsewhere.there.pay(elsewhere.account.external_id, 1)  # nobody has told us

    assert run(rule, "two").status == "succeeded"
    assert alice.holds(alice.pots[0]) == 10_00


def test_balance_elsewhere_starts_a_rule_at_the_bank(alice, elsewhere, run):
    alice.fill(alice.main, 100_00)
    above = elsewhere.amount(elsewhere.now("available"))
    alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[0], "target", strategy="fixed", amount=gbp(10_00)),
        triggers=[
            {"kind": "balance", "account": str(elsewhere.account.pk), "above": above}
        ],
    )
    assert services.dispatch_due_rules() == []

    elsewhere.there.pay(elsewhere.account.external_id, 1)
    elsewhere.sync()

    (started,) = services.dispatch_due_rules()
    assert started.trigger_kind == "balance"


@pytest.mark.parametrize("role", ["source", "target"])
def test_rule_that_would_move_money_there_is_refused_when_it_is_written(
    alice, elsewhere, role
):
    ends = {"source": alice.main, "target": alice.pots[0], role: elsewhere.account}
    amount = elsewhere.amount(1) if role == "target" else gbp(1)

    with pytest.raises(RuleInvalid) as raised:
        alice.rule(
            "topup",
            leg(ends["source"], "source"),
            leg(ends["target"], "target", strategy="fixed", amount=amount),
        )

    told = [problem for problem in raised.value.problems if problem.field != "triggers"]
    assert told
    assert all(problem.field.startswith("legs.") for problem in told)
    assert BANK not in READ_ONLY
