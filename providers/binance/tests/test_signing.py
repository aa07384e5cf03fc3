"""Signatures are those that the documentation computes, over the very bytes sent."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from providers import errors
from providers.binance import Provider
from providers.binance.signing import rest_payload, signer_of, socket_payload
from providers.wire import Request, query

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
WIDE = "１２３４５６"
HMAC = signer_of({"api_secret": SECRET})


@pytest.mark.parametrize(
    ("symbol", "signature"),
    [
        ("LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (WIDE, "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"),
    ],
)
def test_rest_signature_is_the_documented_one(symbol, signature):
    params = {
        "symbol": symbol,
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "1",
        "price": "0.1",
        "recvWindow": "5000",
        "timestamp": "1499827319559",
    }
    request = Request("GET", "/api/v3/order", params=tuple(params.items()))

    assert HMAC.sign(rest_payload(request)) == signature


@pytest.mark.parametrize(
    ("params", "signature"),
    [
        (
            {
                "symbol": "BTCUSDT",
                "side": "SELL",
                "price": "52000.00",
                "quantity": "0.01000000",
                "recvWindow": 100,
            },
            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
        ),
        (
            {
                "symbol": WIDE,
                "side": "BUY",
                "price": "0.10000000",
                "quantity": "1.00000000",
                "recvWindow": 5000,
            },
            "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
        ),
    ],
)
def test_signature_on_a_websocket_is_the_documented_one(params, signature):
    params |= {"type": "LIMIT", "timeInForce": "GTC"}
    params |= {"timestamp": 1645423376532, "apiKey": KEY}

    assert HMAC.sign(socket_payload(params)) == signature


def pem_of(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_ed25519_key_signs_what_is_sent_and_a_one_line_pem_is_one_too():
    key = Ed25519PrivateKey.generate()
    pem = pem_of(key).replace("\n", "\\n")
    adapter = Provider({"api_key": "k", "api_secret": "unused", "private_key": pem})
    asked = adapter.private("spot", "/api/v3/account", 20, omitZeroBalances="true")

    sent = adapter.sign(asked, datetime(2026, 1, 31, tzinfo=UTC), 0)

    *signed, (name, proof) = sent.params
    assert name == "signature"
    assert query(signed) == "omitZeroBalances=true&timestamp=1769817600000"
    key.public_key().verify(b64decode(proof), query(signed).encode())


@pytest.mark.parametrize(
    "credentials",
    [
        {},
        {"api_secret": ""},
        {"private_key": "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"},
        {"private_key": pem_of(X25519PrivateKey.generate())},
    ],
)
def test_credentials_that_cannot_sign_are_refused_without_being_shown(credentials):
    with pytest.raises(errors.AuthenticationFailed) as raised:
        signer_of(credentials)

    assert not any(v and v in str(raised.value) for v in credentials.values())


def test_secret_is_not_in_what_a_signer_shows():
    assert SECRET not in repr(HMAC)


def test_what_anybody_may_ask_is_asked_without_key_and_signature():
    adapter = Provider({"api_key": KEY, "api_secret": SECRET})
    asked = adapter.public("spot", "/api/v3/exchangeInfo", 20)

    assert adapter.sign(asked, datetime.now(UTC), 0) == asked


def test_each_network_has_hosts_and_limits_of_its_own():
    real, test = Provider({}), Provider({"testnet": "yes"})

    assert [real.host(s) for s in ("spot", "futures")] == ["api", "futures"]
    assert [test.host(s, stream=True) for s in ("spot", "futures")] == [
        "testnet_stream",
        "testnet_futures_stream",
    ]
    assert set(Provider.limits) == set(Provider.hosts)
    assert Provider.limits["testnet"].kind == "window"


def test_market_that_does_not_exist_has_a_name():
    with pytest.raises(errors.Refused, match="margin"):
        _ = Provider({"markets": "spot, margin"}).markets
    assert list(Provider({"markets": " Futures,spot,futures"}).markets) == [
        "futures",
        "spot",
    ]
    assert list(Provider({}).markets) == ["spot"]


def test_market_that_does_not_exist_is_refused_as_it_is_typed():
    with pytest.raises(errors.BadCredentials, match="margin"):
        Provider.check_credentials({"markets": "spot, margin"})
    Provider.check_credentials({"markets": "futures"})
