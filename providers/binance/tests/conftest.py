"""An exchange that stands still in time, and Alex who trades there."""

from __future__ import annotations

import json

import pytest

from providers.sandbox.wire import Asked
from providers.wire import query
from tests import fixtures_still as still

from .line import Line

slug, bank, alex = still.slug, still.bank, still.alex
adapter, ask = still.adapter, still.ask


@pytest.fixture
def exchange(bank):
    return bank


@pytest.fixture
def client(exchange, adapter):
    """Ask the exchange for something as Alex, signed, in its own words."""

    def client(path, *, headers=None, **params):
        request = adapter.private("spot", path, 1, **params)
        signed = adapter.sign(request, exchange.clock.now(), 0)
        return asked(exchange, signed.path, query(signed.params), signed.headers)

    return client


def asked(exchange, path, raw_query="", headers=None, body=b"", method="GET"):
    """Return status, body and headers of an answer."""
    low = {k.lower(): v for k, v in (headers or {}).items()}
    answer = exchange.answer(Asked(method, path, raw_query, low, body))
    told = answer.body
    if answer.content_type == "application/json":
        told = json.loads(answer.body)
    return answer.status, told, answer.headers


@pytest.fixture
def line(exchange, adapter):
    line = Line(exchange, adapter, "spot")
    line.settle()
    return line
