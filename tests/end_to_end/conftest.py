"""One person, her bank over HTTP, and nothing of balsync but its REST interface.

Tasks are carried out as soon as they are published. The bank's own ledger is the judge.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Workspace
from providers.drivers import configure
from providers.sandbox.institution import Customer, Institution
from providers.sandbox.server import Sandbox, serve
from tests.automation.conftest import BANK
from tests.fixtures_api import V1, member
from tests.fixtures_bank import only

__all__ = ["BANK", "Api", "Bank", "gbp"]


def gbp(minor: int) -> dict[str, str]:
    return {"asset": "GBP/2", "minor": str(minor)}


class Api:
    """Speaks to /api/v1 and insists on the status of each answer."""

    def __init__(self, client: APIClient) -> None:
        self.client = client

    def get(self, path: str, status: int = 200, headers=None, **query: Any) -> Any:
        answer = self.client.get(f"{V1}{path}", query, headers=headers)
        assert answer.status_code == status, answer.content
        return answer if headers or status == 304 else answer.json()

    def rows(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Return every row of a list, page after page."""
        page = self.get(path, **query)
        rows = page["results"]
        while page["next"]:
            page = self.client.get(page["next"]).json()
            rows += page["results"]
        return rows

    def post(
        self, path: str, body: Any = None, status: int = 200, key: str = ""
    ) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.client.post(f"{V1}{path}", body or {}, headers=headers)
        assert answer.status_code == status, answer.content
        return answer.json()


class Bank:
    """The customer's connection: her accounts as the API names them."""

    def __init__(self, api: Api, bank: Institution, customer: Customer) -> None:
        self.api, self.bank, self.customer = api, bank, customer
        told = {"provider": bank.slug, "label": customer.name}
        told["credentials"] = {k: v for k, v in customer.credentials.items() if v}
        self.connection = api.post("/connections/", told, 201, key="connect")
        self.path = f"/connections/{self.connection['id']}/"

    def sync(self) -> dict[str, Any]:
        """Ask for a sync and return the sync run as it ended."""
        started = self.api.post(f"{self.path}sync/", {"kind": "manual"}, 202)
        return self.api.get(f"/sync-runs/{started['id']}/")

    def accounts(self) -> dict[str, dict[str, Any]]:
        """Return the accounts by the bank's own ids."""
        rows = self.api.rows("/accounts/", connection=self.connection["id"])
        return {row["external_id"]: row for row in rows}

    def account(self, holding: Any) -> str:
        return self.accounts()[holding.external_id]["id"]

    def books(self) -> dict[str, int]:
        """Return what the bank's ledger says of the customer's open accounts."""
        held = self.bank.balances()
        return {h.external_id: held[h.external_id] for h in self.customer.holdings}

    def agrees(self) -> bool:
        """Say whether the API shows every account as the bank's ledger has it."""
        ours = {
            name: int(row["balance"]["total"]["minor"])
            for name, row in self.accounts().items()
        }
        return ours == {name: self.books()[name] for name in ours}


@pytest.fixture
def sandbox(request, settings) -> Iterator[Sandbox]:
    configure(None)
    with serve(getattr(request, "param", BANK)) as running:
        settings.PROVIDER_URLS = running.urls()
        yield running
    configure(None)


@pytest.fixture
def bank(sandbox) -> Institution:
    return only(sandbox)


@pytest.fixture
def workspace(db) -> Workspace:
    return Workspace.objects.create(name="home")


@pytest.fixture
def alice(workspace) -> Api:
    """Alice owns the workspace."""
    return Api(member("alice", (workspace, "admin")))


@pytest.fixture
def at_bank(alice, bank) -> Bank:
    """Alice's connection, just made: nothing was read yet."""
    (customer,) = bank.add_customers(["alice"], pots=3)
    return Bank(alice, bank, customer)


@pytest.fixture
def known(at_bank) -> Bank:
    """Alice's connection after its first sync: 1000.00 in the account, pots empty."""
    bank = at_bank.bank
    for held in at_bank.customer.holdings:
        if amount := bank.balance(held.external_id):
            bank.spend(held.external_id, amount)
    bank.pay(at_bank.customer.account.external_id, 1000_00)
    assert at_bank.sync()["status"] == "ok"
    return at_bank
