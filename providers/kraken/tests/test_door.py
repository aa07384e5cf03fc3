"""The exchange on this machine is as strict at its door as the real one."""

from __future__ import annotations

import json

import pytest

from providers import errors
from providers.kraken.sandbox.words import REFUSALS
from providers.sandbox.wire import Asked


def test_tampered_signature_and_unknown_key_are_refused(client):
    assert client("Balance", signature="AAAA") == "EAPI:Invalid signature"
    assert client("Balance", key="nobody") == "EAPI:Invalid key"
    assert client("Balance")["XXBT"] == "1.2435000000"


def test_signature_is_of_exactly_the_body_that_came(exchange, alex, client):
    seen = []
    exchange._speak, speak = (
        lambda asked: seen.append(asked) or speak(asked),
        exchange._speak,
    )
    client("OpenOrders", trades="true")
    (asked,) = seen
    body = asked.body.replace(b"trades=true", b"trades=TRUE")
    bent = Asked(asked.method, asked.path, "", asked.headers, body)

    assert json.loads(speak(bent).body)["error"] == ["EAPI:Invalid signature"]


def test_nonce_must_grow_and_fit_into_64_bits(client):
    assert "XXBT" in client("Balance", nonce=2_000_000_000)
    assert client("Balance", nonce=2_000_000_000) == "EAPI:Invalid nonce"
    assert client("Balance", nonce=1_999_999_999) == "EAPI:Invalid nonce"
    assert client("Balance", nonce=2**64) == "EAPI:Invalid nonce"
    assert "XXBT" in client("Balance", nonce=2**64 - 1)


def test_key_that_is_used_elsewhere_makes_nonces_stale(exchange, client):
    assert "XXBT" in client("Balance", nonce=10)
    exchange.do("use_elsewhere", name="alex", ahead=5)

    assert client("Balance", nonce=15) == "EAPI:Invalid nonce"
    assert "XXBT" in client("Balance", nonce=16)


def test_repeated_failures_lock_out_for_fifteen_minutes_that_each_attempt_renews(
    exchange, client
):
    for _ in range(5):
        assert client("Balance", signature="AAAA") == "EAPI:Invalid signature"
    assert client("Balance") == "EGeneral:Temporary lockout"
    exchange.clock.advance(899)
    assert client("Balance") == "EGeneral:Temporary lockout"
    exchange.clock.advance(899)
    assert client("Balance") == "EGeneral:Temporary lockout"
    exchange.clock.advance(901)
    assert "XXBT" in client("Balance")


def test_counter_holds_fifteen_and_sinks_by_a_third_each_second(exchange, client):
    for _ in range(15):
        assert "XXBT" in client("Balance")
    assert client("Balance") == "EAPI:Rate limit exceeded"  # and is counted
    exchange.clock.advance(6.0)
    assert client("Balance") == "EAPI:Rate limit exceeded"
    exchange.clock.advance(6.2)
    assert "count" in client("ClosedOrders")


def test_histories_of_trades_and_ledger_count_twice(client):
    for _ in range(7):
        assert "count" in client("TradesHistory")

    assert "XXBT" in client("Balance")
    assert client("Balance") == "EAPI:Rate limit exceeded"


@pytest.mark.parametrize(
    ("verb", "fields", "error"),
    [
        ("BalanceEx", {"asset": "XBT"}, "EGeneral:Invalid arguments:asset"),
        (
            "ClosedOrders",
            {"closetime": "never"},
            "EGeneral:Invalid arguments:closetime",
        ),
        ("TradesHistory", {"ofs": "-1"}, "EGeneral:Invalid arguments:ofs"),
        (
            "QueryOrders",
            {"txid": ",".join("ABCDEFGHIJKLMNOPQRSTU")},
            "EGeneral:Invalid arguments:txid",
        ),
        ("QueryOrders", {"txid": "OAAAAA-BBBBB-CCCCCC"}, "EOrder:Unknown order"),
        ("AddOrder", {}, "EGeneral:Unknown method"),
    ],
)
def test_wrong_parameters_are_refused_by_name(client, verb, fields, error):
    assert client(verb, **fields) == error


def test_key_does_only_what_it_may(exchange, client):
    exchange.do("permit", name="alex", permissions=["query-funds"])

    assert client("TradesHistory") == "EGeneral:Permission denied"
    assert "XXBT" in client("Balance")
    exchange.do("expire", name="alex", seconds=60)
    exchange.clock.advance(61)
    assert client("Balance") == "EAPI:Invalid key"


def test_maintenance_closes_what_is_private(exchange, client):
    exchange.do("maintain")
    assert client("Balance") == "EService:Unavailable"

    exchange.do("maintain", mode="online")
    assert "XXBT" in client("Balance")


@pytest.mark.parametrize("code", [*REFUSALS, "throttled"])
def test_every_bad_day_that_can_be_planned_has_a_name(exchange, adapter, ask, code):
    exchange.fault("refuse", code=code, times=None)

    with pytest.raises(errors.ProviderError) as raised:
        ask(adapter.observe())

    unexpected = isinstance(raised.value, errors.UnexpectedResponse)
    assert unexpected == (code == "undocumented")
