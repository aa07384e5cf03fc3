"""An exchange that stands still in time, and Alex who has a portfolio there."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from providers.sandbox.wire import Asked
from providers.wire import Request
from tests import fixtures_still as still

ROOT = "/api/v3/brokerage"

slug, alex = still.slug, still.alex
adapter, ask = still.adapter, still.ask


@pytest.fixture
def bank(slug):
    bank = still.still(slug)
    bank.configure(extra={"per_second": 1000})  # no time passes between requests
    return bank


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
