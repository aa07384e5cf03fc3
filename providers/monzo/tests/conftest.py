"""A bank that stands still in time, and Alex who has an account there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from providers.monzo import Provider
from providers.monzo.sandbox import Sandbox
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.wire import drive

FORM = "application/x-www-form-urlencoded"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def bank():
    bank = Sandbox()
    bank.clock.freeze(NOW)
    return bank


@pytest.fixture
def alex(bank):
    return bank.demo_world()


@pytest.fixture
def client(bank, alex):
    """Ask the bank for something as Alex, in its own words."""

    def client(method, path, form=None, *, token=None, kind=FORM, **query):
        given = alex.credentials["access_token"] if token is None else token
        headers = {"authorization": f"Bearer {given}", "content-type": kind}
        body = urlencode(form).encode() if isinstance(form, dict) else form or b""
        answer = bank.answer(Asked(method, path, urlencode(query), headers, body))
        return answer.status, json.loads(answer.body)

    return client


@pytest.fixture
def ask(bank, alex):
    adapter = Provider(alex.credentials)
    return lambda call: drive(call(adapter), sender(adapter, bank))
