"""An exchange that stands still in time, and Alex who has a portfolio there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from providers.coinbase import Provider
from providers.coinbase.sandbox import Sandbox
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.wire import Request, drive

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROOT = "/api/v3/brokerage"


@pytest.fixture
def bank():
    bank = Sandbox()
    bank.clock.freeze(NOW)
    bank.configure(extra={"per_second": 1000})  # no time passes between requests
    return bank


@pytest.fixture
def alex(bank):
    return bank.demo_world()


@pytest.fixture
def adapter(alex):
    return Provider(alex.credentials)


@pytest.fixture
def ask(bank, adapter):
    return lambda call: drive(call(adapter), sender(adapter, bank))


@pytest.fixture
def client(bank, adapter):
    """Ask the exchange for something as Alex, in its own words."""

    def client(path, *params, token=None):
        signed = adapter.sign(Request("GET", path), bank.clock.now(), 0)
        given = signed.headers["Authorization"] if token is None else token
        asked = Asked("GET", path, urlencode(params), {"authorization": given})
        answer = bank.answer(asked)
        told = answer.content_type == "application/json" and answer.body[:1] == b"{"
        return answer.status, json.loads(answer.body) if told else answer.body

    return client
