"""A Fincra that stands still in time, and Alex whose business is there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from providers.fincra import Provider
from providers.fincra.sandbox import Sandbox
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.wire import drive

DOCUMENTED = Path(__file__).parents[1] / "samples/documented"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def documented(name):
    return json.loads((DOCUMENTED / name).read_text())


@pytest.fixture(params=["minor", "major"])
def bank(request):
    """Each of the two units there may be."""
    bank = Sandbox()
    bank.configure(extra={"amount_scale": request.param})
    bank.clock.freeze(NOW)
    return bank


@pytest.fixture
def alex(bank):
    return bank.demo_world()


@pytest.fixture
def client(bank, alex):
    """Ask Fincra for something as Alex, in its own words."""

    def client(method, path, body=None, *, headers=None, **query):
        usual = {"api-key": alex.credentials["api_key"]}
        given = {"content-type": "application/json", **(headers or usual)}
        raw = b"" if body is None else json.dumps(body).encode()
        answer = bank.answer(Asked(method, path, urlencode(query), given, raw))
        return answer.status, json.loads(answer.body)

    return client


@pytest.fixture
def adapter(alex):
    return Provider(alex.credentials)


@pytest.fixture
def ask(bank, adapter):
    return lambda call: drive(call(adapter), sender(adapter, bank))


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
