"""An exchange that stands still in time, and Alex who trades there."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from providers.binance import Provider
from providers.binance.sandbox import Sandbox
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.wire import drive, query

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def exchange():
    exchange = Sandbox()
    exchange.clock.freeze(NOW)
    return exchange


@pytest.fixture
def alex(exchange):
    return exchange.demo_world()


@pytest.fixture
def adapter(alex):
    return Provider(alex.credentials)


@pytest.fixture
def ask(exchange, adapter):
    """Run a call of Alex's adapter, or of another one."""

    def ask(call, by=None):
        by = by or adapter
        return drive(call(by), sender(by, exchange))

    return ask


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
