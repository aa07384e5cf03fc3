"""Flutterwave standing still in time, with a business of each version."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

import pytest

from providers.flutterwave import Provider
from providers.sandbox.inside import sender
from providers.wire import drive
from tests import fixtures_still as still

TOKEN = "/idp/realms/flutterwave/protocol/openid-connect/token"

slug, bank = still.slug, still.bank
alex = still.alex  # has a secret key of version 3
documented = partial(still.documented, "flutterwave")


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
        return still.answered(bank, method, path, query, headers, body)

    return client
