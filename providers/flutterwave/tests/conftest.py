"""Flutterwave standing still in time, with a business of each version."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from providers.flutterwave import Provider
from providers.flutterwave.sandbox import Sandbox
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.wire import drive

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DOCUMENTED = Path(__file__).parents[1] / "samples" / "documented"
TOKEN = "/idp/realms/flutterwave/protocol/openid-connect/token"


def documented(name):
    return json.loads((DOCUMENTED / f"{name}.json").read_text())


@pytest.fixture
def bank():
    bank = Sandbox()
    bank.clock.freeze(NOW)
    return bank


@pytest.fixture
def alex(bank):
    """The demo's business, which has a secret key of version 3."""
    return bank.demo_world()


@pytest.fixture
def nia(bank):
    """A business with a client of version 4."""
    return bank.add_customers(["nia"], version=4)[0]


@pytest.fixture
def ask(bank):
    """Make a call as somebody, with a token where one is needed."""

    def ask(customer, call=lambda adapter: adapter.observe(), **more):
        adapter = Provider({**customer.credentials, **more})
        if adapter.lacks_token:
            tokens = drive(adapter.refresh(), sender(adapter, bank))
            adapter = Provider({**adapter.credentials, **tokens.credentials})
        return drive(call(adapter), sender(adapter, bank))

    return ask


@pytest.fixture
def client(bank):
    """Ask for something with a key or token, in Flutterwave's own words."""

    def client(path, token="", *, kind="application/json", form=None, **more):
        headers = {"content-type": kind, "authorization": f"Bearer {token}", **more}
        path, _, query = path.partition("?")
        body = urlencode(form).encode() if form else b""
        method = "POST" if form else "GET"
        answer = bank.answer(Asked(method, path, query, headers, body))
        return answer.status, json.loads(answer.body)

    return client
