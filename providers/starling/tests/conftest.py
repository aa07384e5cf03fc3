"""A bank that stands still in time, and Alex who has an account there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from providers.base import Place
from providers.money import Asset
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.starling import Provider
from providers.starling.sandbox import Sandbox
from providers.wire import drive

JSON = "application/json"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def place(holding):
    asset = Asset.parse(holding.asset)
    return Place(holding.external_id, holding.kind, holding.parent, asset)


@pytest.fixture
def bank():
    bank = Sandbox()
    bank.slug = "starling"
    bank.clock.freeze(NOW)
    return bank


@pytest.fixture
def alex(bank):
    return bank.demo_world()


@pytest.fixture
def client(bank, alex):
    """Ask the bank for something as Alex, in its own words."""

    def client(method, path, body=None, *, token=None, kind=JSON, **query):
        given = alex.credentials["access_token"] if token is None else token
        headers = {"authorization": f"Bearer {given}", "accept": JSON}
        headers |= {"content-type": kind} if body is not None else {}
        raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        sent = raw if body is not None else b""
        answer = bank.answer(Asked(method, path, urlencode(query), headers, sent))
        return answer.status, json.loads(answer.body)

    return client


@pytest.fixture
def ask(bank, alex):
    adapter = Provider(alex.credentials)
    return lambda call: drive(call(adapter), sender(adapter, bank))
