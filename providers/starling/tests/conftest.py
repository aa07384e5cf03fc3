"""A bank that stands still in time, and Alex who has an account there."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from tests import fixtures_still as still

JSON = "application/json"

slug, bank, alex = still.slug, still.bank, still.alex
adapter, ask = still.adapter, still.ask


@pytest.fixture
def client(bank, alex):
    """Ask the bank for something as Alex, in its own words."""

    def client(method, path, body=None, *, token=None, kind=JSON, **query):
        given = alex.credentials["access_token"] if token is None else token
        headers = {"authorization": f"Bearer {given}", "accept": JSON}
        headers |= {"content-type": kind} if body is not None else {}
        raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        sent = raw if body is not None else b""
        return still.answered(bank, method, path, urlencode(query), headers, sent)

    return client
