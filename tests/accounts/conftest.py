"""A bank in this process, reached over HTTP, and people who connect to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accounts import services, tasks
from accounts.models import Account, Connection
from providers.sandbox.institution import Customer
from tests import fixtures_bank
from tests.fixtures_bank import BANK

sandbox, bank = fixtures_bank.sandbox, fixtures_bank.bank
workspace = fixtures_bank.workspace


@pytest.fixture
def people(bank, workspace) -> Callable[..., list[tuple[Customer, Connection]]]:
    """Open accounts at the bank for so many people, and connect each of them."""

    def open_accounts(count: int, **wishes) -> list[tuple[Customer, Connection]]:
        names = [f"person-{number}" for number in range(count)]
        customers = bank.add_customers(names, **wishes)
        return [
            (c, services.connect(workspace, BANK, c.credentials, label=c.name))
            for c in customers
        ]

    return open_accounts


@pytest.fixture
def person(people) -> tuple[Customer, Connection]:
    return people(1, pots=2)[0]


@pytest.fixture
def account_of() -> Callable[[str], Account]:
    return lambda name: Account.objects.get(external_id=name, automates=True)


@pytest.fixture
def queued(monkeypatch) -> list[tuple]:
    """Record what is put on the queue instead of carrying it out."""
    sent: list[tuple] = []
    monkeypatch.setattr(tasks, "publish", lambda *told: sent.append(told))
    return sent


@pytest.fixture
def account(workspace) -> Account:
    """Return an account of a provider that nobody is ever asked about."""
    owner = Connection.objects.create(workspace=workspace, provider="somewhere")
    return Account.objects.create(
        workspace=workspace,
        connection=owner,
        provider="somewhere",
        external_id="main",
        asset="GBP/2",
    )
