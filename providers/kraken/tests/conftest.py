"""An exchange that stands still in time, and Alex who trades there."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from providers.kraken.rest import FORM
from providers.kraken.signing import api_sign
from providers.sandbox.inside import sender
from providers.wire import drive
from tests import fixtures_still as still

from .talking import Line, told, truth

slug, bank, alex, adapter = still.slug, still.bank, still.alex, still.adapter


@pytest.fixture
def exchange(bank):
    return bank


@pytest.fixture
def client(exchange, alex):
    """Ask the exchange for something as Alex, in its own words and without patience."""
    nonces = iter(range(10**6, 10**7))

    def client(verb, *, nonce=None, signature=None, key=None, **fields):
        number = next(nonces) if nonce is None else nonce
        path = f"/0/private/{verb}"
        body = urlencode({"nonce": number, **fields}).encode()
        right = api_sign(alex.credentials["api_secret"], path, number, body)
        headers = {
            "content-type": FORM["Content-Type"],
            "api-key": alex.credentials["api_key"] if key is None else key,
            "api-sign": right if signature is None else signature,
        }
        _, told = still.answered(exchange, "POST", path, "", headers, body)
        return told["error"][0] if told["error"] else told["result"]

    return client


@pytest.fixture
def ask(exchange, adapter):
    """Run a call as Alex, who has all the time in the world."""
    send = sender(adapter, exchange)

    def patient(request):
        if request.host == "api":
            exchange.clock.advance(request.weight / 0.33)
        return send(request)

    return lambda call: drive(call, patient)


@pytest.fixture
def line(exchange, adapter):
    line = Line(exchange, adapter)
    line.wait(3)
    assert line.feed.live
    assert told(line) == truth(exchange)
    return line
