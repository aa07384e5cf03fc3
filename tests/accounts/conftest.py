"""A bank in this process, reached over HTTP, and people who connect to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import providers
from accounts import services
from accounts.models import Account, Connection, Workspace
from providers.base import Authorizes, ListsMovements, MovesMoney
from providers.drivers import configure
from providers.sandbox import registry
from providers.sandbox.institution import Customer, Institution
from providers.sandbox.server import Sandbox, serve

PORTS = (Authorizes, ListsMovements, MovesMoney)
BANK = next(
    slug
    for slug in registry.slugs()
    if all(issubclass(providers.load(slug), port) for port in PORTS)
)


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    """Forget what breakers learnt from the faults of other tests."""
    configure(None)
    yield
    configure(None)


@pytest.fixture
def sandbox(settings) -> Iterator[Sandbox]:
    with serve(BANK) as running:
        settings.PROVIDER_URLS = running.urls()
        yield running


@pytest.fixture
def bank(sandbox) -> Institution:
    return sandbox[BANK]


@pytest.fixture
def workspace(db) -> Workspace:
    return Workspace.objects.create(name="home")


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
