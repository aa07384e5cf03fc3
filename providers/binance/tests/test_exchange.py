"""The sandbox is as strict as the documentation says."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from providers.binance import Provider
from providers.binance.sandbox import Sandbox
from providers.sandbox.inside import sender
from providers.wire import drive

from .conftest import asked

ACCOUNT = "/api/v3/account"


def signed(alex, payload):
    secret = alex.credentials["api_secret"].encode()
    return hmac.new(secret, payload.encode(), hashlib.sha256).hexdigest()


def now_of(exchange):
    return int(exchange.clock.timestamp() * 1000)


@pytest.fixture
def read(exchange, alex):
    """Ask for the account with what is to be signed, and a signature if another."""

    def read(payload, signature=None, *, key=None, path=ACCOUNT, body=b""):
        proof = signed(alex, payload) if signature is None else signature
        raw = f"{payload}&signature={proof}"
        headers = {"X-MBX-APIKEY": alex.credentials["api_key"] if key is None else key}
        status, told, _ = asked(exchange, path, raw, headers, body)
        return status, told.get("code") if isinstance(told, dict) else None

    return read


def test_signature_in_capitals_is_as_good(exchange, alex, read):
    payload = f"timestamp={now_of(exchange)}"

    assert read(payload, signed(alex, payload).upper()) == (200, None)


def test_signature_over_other_bytes_is_refused(exchange, alex, read):
    payload = f"omitZeroBalances=true&timestamp={now_of(exchange)}"
    right = signed(alex, payload)

    assert read(payload, right) == (200, None)
    assert read(payload.replace("true", "TRUE"), right) == (400, -1022)
    assert read(payload, right[:-1] + ("0" if right[-1] != "0" else "1")) == (
        400,
        -1022,
    )
    assert read(payload, "") == (400, -1022)
    assert read(payload, right + "&recvWindow=9") == (400, -1022)


def test_key_that_is_missing_or_unknown_is_refused(exchange, read):
    payload = f"timestamp={now_of(exchange)}"

    assert read(payload, key="") == (401, -2014)
    assert read(payload, key="nobody") == (401, -2015)
    assert read(payload, path="/testnet" + ACCOUNT) == (401, -2015)


@pytest.mark.parametrize(
    ("ahead", "window", "code"),
    [
        (0, "", None),
        (999, "", None),
        (1000, "", -1021),
        (-5000, "", None),
        (-5001, "", -1021),
        (-60_000, "&recvWindow=60000", None),
        (-9, "&recvWindow=8.999", -1021),
        (0, "&recvWindow=60001", -1102),
        (0, "&recvWindow=1.0001", -1100),
    ],
)
def test_time_of_a_request_is_checked_as_documented(
    exchange, read, ahead, window, code
):
    assert read(f"timestamp={now_of(exchange) + ahead}{window}")[1] == code


def test_time_may_be_in_microseconds_and_must_be_there(exchange, read):
    assert read(f"timestamp={now_of(exchange)}000") == (200, None)
    assert read("omitZeroBalances=true") == (400, -1102)


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("/api/v3/myTrades", {}, -1102),
        ("/api/v3/myTrades", {"symbol": "NOPE"}, -1121),
        ("/api/v3/myTrades", {"symbol": "BTCUSDT", "limit": "1001"}, -1130),
        ("/api/v3/myTrades", {"symbol": "BTCUSDT", "limit": "x"}, -1100),
        ("/api/v3/myTrades", {"symbol": "BTCUSDT", "colour": "red"}, -1104),
        (
            "/api/v3/myTrades",
            {"symbol": "BTCUSDT", "startTime": "1", "endTime": "86400002"},
            -1127,
        ),
        (
            "/api/v3/myTrades",
            {"symbol": "BTCUSDT", "fromId": "1", "startTime": "1"},
            -1128,
        ),
        ("/api/v3/order", {"symbol": "BTCUSDT"}, -1102),
        ("/api/v3/order", {"symbol": "BTCUSDT", "orderId": "1"}, -2013),
        ("/api/v3/openOrders", {"symbol": "NOPE"}, -1121),
    ],
)
def test_parameters_are_read_as_strictly_as_documented(client, path, params, code):
    status, told, _ = client(path, **params)

    assert (status, told["code"]) == (400, code)


def test_weight_is_counted_for_the_address_in_each_minute(exchange, client):
    before = int(client("/api/v3/ping")[2]["X-MBX-USED-WEIGHT-1M"])

    _, _, headers = client("/api/v3/openOrders")
    assert int(headers["X-MBX-USED-WEIGHT-1M"]) == before + 80

    exchange.clock.advance(60)
    assert client("/api/v3/account")[2]["X-MBX-USED-WEIGHT-1M"] == "20"
    assert asked(exchange, "/fapi/v1/time")[2]["X-MBX-USED-WEIGHT-1M"] == "1"


def test_whoever_does_not_stop_at_429_is_banned_for_longer_each_time(exchange, client):
    for length in (120, 240):
        exchange.clock.advance(60)
        answers = [client("/api/v3/openOrders") for _ in range(75)]
        assert [status for status, _, _ in answers] == [200] * 75

        status, told, headers = client("/api/v3/account")
        assert (status, told["code"], headers["Retry-After"]) == (429, -1003, "61")
        statuses = [client("/api/v3/account")[0] for _ in range(10)]
        assert statuses == [429] * 9 + [418]

        status, _, headers = client("/api/v3/account")
        assert (status, int(headers["Retry-After"])) == (418, length + 1)
        exchange.clock.advance(length)
    assert client("/api/v3/account")[0] == 200


def test_state_survives_a_restart(tmp_path):
    first = Sandbox(tmp_path / "binance")
    alex = first.demo_world()
    held, orders = first.balances(), first.ledger.topics
    first.close()

    again = Sandbox(tmp_path / "binance")
    assert (again.balances(), again.ledger.topics) == (held, orders)
    adapter = Provider(again.customer("alex").credentials)
    assert adapter.credentials == alex.credentials
    assert drive(adapter.observe(), sender(adapter, again)).complete
    again.close()
