"""A bank that stands still in time, and Alex who has an account there."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests import fixtures_still as still

FORM = "application/x-www-form-urlencoded"

slug, bank, alex = still.slug, still.bank, still.alex
adapter, ask = still.adapter, still.ask


@pytest.fixture
def client(bank, alex):
    """Ask the bank for something as Alex, in its own words."""

    def client(method, path, form=None, *, token=None, kind=FORM, **query):
        given = alex.credentials["access_token"] if token is None else token
        headers = {"authorization": f"Bearer {given}", "content-type": kind}
        body = urlencode(form).encode() if isinstance(form, dict) else form or b""
        return still.answered(bank, method, path, urlencode(query), headers, body)

    return client
