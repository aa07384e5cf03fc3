"""A Paystack that stands still in time, and Alex whose business is there."""

from __future__ import annotations

import json
from functools import partial
from urllib.parse import urlencode

import pytest

from tests import fixtures_still as still

slug, bank, alex = still.slug, still.bank, still.alex
adapter, ask = still.adapter, still.ask
documented = partial(still.documented, "paystack")


@pytest.fixture
def client(bank, alex):
    """Ask Paystack for something as Alex, in its own words."""

    def client(method, path, body=None, *, key=None, kind="application/json", **query):
        given = alex.credentials["secret_key"] if key is None else key
        headers = {"authorization": f"Bearer {given}", "content-type": kind}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return still.answered(bank, method, path, urlencode(query), headers, raw)

    return client


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
