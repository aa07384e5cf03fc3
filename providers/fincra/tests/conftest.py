"""A Fincra that stands still in time, and Alex whose business is there."""

from __future__ import annotations

import json
from functools import partial
from urllib.parse import urlencode

import pytest

from tests import fixtures_still as still

slug, alex = still.slug, still.alex
adapter, ask = still.adapter, still.ask
documented = partial(still.documented, "fincra")


@pytest.fixture(params=["minor", "major"])
def bank(slug, request):
    """Each of the two units there may be."""
    bank = still.still(slug)
    bank.configure(extra={"amount_scale": request.param})
    return bank


@pytest.fixture
def client(bank, alex):
    """Ask Fincra for something as Alex, in its own words."""

    def client(method, path, body=None, *, headers=None, **query):
        usual = {"api-key": alex.credentials["api_key"]}
        given = {"content-type": "application/json", **(headers or usual)}
        raw = b"" if body is None else json.dumps(body).encode()
        return still.answered(bank, method, path, urlencode(query), given, raw)

    return client


@pytest.fixture
def payout(alex):
    """Return the fields of a payout, with some changed."""

    def payout(**changes):
        return {
            "business": alex.credentials["business_id"],
            "sourceCurrency": "NGN",
            "destinationCurrency": "NGN",
            "amount": "20000",
            "description": "i want to pay my vendor",
            "paymentDestination": "bank_account",
            "paymentScheme": "fps",
            "customerReference": "b67vfv",
            "beneficiary": {
                "accountHolderName": "john doe",
                "accountNumber": "0124775489",
                "type": "corporate",
                "email": "aa@aa.com",
            },
            **changes,
        }

    return payout
