"""A Paystack that stands still in time, and Alex whose business is there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from providers.paystack import Provider
from providers.paystack.sandbox import Sandbox
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.wire import drive

DOCUMENTED = Path(__file__).parents[1] / "samples/documented"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def documented(name):
    return json.loads((DOCUMENTED / name).read_text())


@pytest.fixture
def bank():
    bank = Sandbox()
    bank.clock.freeze(NOW)
    return bank


@pytest.fixture
def alex(bank):
    return bank.demo_world()


@pytest.fixture
def client(bank, alex):
    """Ask Paystack for something as Alex, in its own words."""

    def client(method, path, body=None, *, key=None, kind="application/json", **query):
        given = alex.credentials["secret_key"] if key is None else key
        headers = {"authorization": f"Bearer {given}", "content-type": kind}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = bank.answer(Asked(method, path, urlencode(query), headers, raw))
        return answer.status, json.loads(answer.body)

    return client


@pytest.fixture
def adapter(alex):
    return Provider(alex.credentials)


@pytest.fixture
def ask(bank, adapter):
    return lambda call: drive(call(adapter), sender(adapter, bank))


@pytest.fixture
def transfer(bank):
    """Return the fields of a transfer, with some changed."""

    def transfer(**changes):
        recipient = next(iter(bank.ledger.topic("recipients")))
        return {
            "source": "balance",
            "amount": 100000,
            "recipient": recipient,
            "reference": "acv_9ee55786-2323-4760",
            "reason": "Bonus for the week",
            **changes,
        }

    return transfer
