"""A chain that stands still in time, and Alex who has addresses on it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from providers.polygon import Provider
from providers.polygon.sandbox import Sandbox
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.wire import drive

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NODES = {"api": "", "rpc1": "/node2", "rpc2": "/node3"}


@pytest.fixture
def bank():
    return still()


def still():
    bank = Sandbox()
    bank.clock.freeze(NOW)
    bank.mounts = NODES
    return bank


@pytest.fixture
def alex(bank):
    return bank.demo_world()


@pytest.fixture
def adapter(alex):
    return Provider(alex.credentials)


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
    return json.loads(bank.answer(Asked("POST", path, "", headers, raw)).body)
