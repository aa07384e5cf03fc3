"""A chain that stands still in time, and Alex who has addresses on it."""

from __future__ import annotations

import json

import pytest

from providers.polygon import Provider
from providers.sandbox.inside import sender
from providers.wire import drive
from tests import fixtures_still

NODES = {"api": "", "rpc1": "/node2", "rpc2": "/node3"}

slug, alex, adapter = fixtures_still.slug, fixtures_still.alex, fixtures_still.adapter


@pytest.fixture
def bank():
    return still()


def still():
    bank = fixtures_still.still("polygon")
    bank.mounts = NODES
    return bank


@pytest.fixture
def ask(bank, adapter):
    return lambda known=(): drive(adapter.observe(known), sender(adapter, bank))


@pytest.fixture
def several(bank, alex):
    """Ask as somebody who has three nodes."""
    adapter = Provider(alex.credentials, NODES)
    return lambda known=(): drive(adapter.observe(known), sender(adapter, bank))


@pytest.fixture
def node(bank):
    """Ask a node something in its own words."""

    def node(method, *params, path="/", **more):
        asked = {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}
        return told(bank, {**asked, **more}, path)

    return node


def told(bank, body, path="/"):
    headers = {"content-type": "application/json"}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return fixtures_still.answered(bank, "POST", path, "", headers, raw)[1]
