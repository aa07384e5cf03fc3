"""How answers about accounts are read, and what is refused."""

from __future__ import annotations

import json

import pytest

from providers import errors
from providers.binance import Provider
from providers.wire import Response, drive

BTC = {"asset": "BTC", "free": "0.10000000", "locked": "0.02000000"}
WALLET = {
    "accountAlias": "SgsR",
    "asset": "USDT",
    "balance": "122607.35137903",
    "maxWithdrawAmount": "23.72469206",
}


def spot(*balances, **changed):
    about = {"accountType": "SPOT", "uid": 7, "updateTime": 123456789}
    body = {**about, "balances": list(balances), **changed}
    return observed("spot", body)


def observed(markets, body):
    provider = Provider({"api_key": "k", "api_secret": "s", "markets": markets})
    answer = Response(200, {}, json.dumps(body).encode())
    return drive(provider.observe(), lambda request: answer)


def test_what_is_locked_is_held_and_part_of_the_total():
    (reading,) = spot(BTC).readings

    assert (reading.total, reading.available, reading.held) == (
        12_000_000,
        10_000_000,
        2_000_000,
    )
    assert (reading.external_id, str(reading.asset)) == ("spot:7:BTC", "BTC/8")


def test_nothing_held_is_a_complete_answer():
    seen = spot()

    assert (list(seen.readings), seen.complete, seen.lists_held_only) == (
        [],
        True,
        True,
    )


@pytest.mark.parametrize(
    "row",
    [
        {**BTC, "free": 0.1},
        {**BTC, "free": 1},
        {**BTC, "free": "-1"},
        {**BTC, "free": "1e3"},
        {**BTC, "locked": None},
        {**BTC, "asset": ""},
        {**BTC, "asset": "BTC/8"},
        {"asset": "BTC", "free": "1"},
        "BTC",
    ],
)
def test_row_that_makes_no_sense_is_no_balance(row):
    with pytest.raises(errors.UnexpectedResponse):
        spot(row)


@pytest.mark.parametrize(
    "changed", [{"uid": None}, {"uid": "7"}, {"uid": -1}, {"accountType": "MARGIN"}]
)
def test_account_that_is_not_the_one_asked_for_is_refused(changed):
    with pytest.raises(errors.UnexpectedResponse):
        spot(BTC, **changed)


def test_amount_with_more_decimals_than_documented_makes_one_balance_unknown():
    seen = spot(BTC, {"asset": "ETH", "free": "0.100000001", "locked": "0"})

    known, unknown = seen.readings
    assert (known.total, unknown.total, unknown.available) == (12_000_000, None, None)
    assert "ETH/8" in unknown.error
    assert not seen.complete


def test_asset_that_is_listed_twice_is_refused():
    with pytest.raises(errors.UnexpectedResponse):
        spot(BTC, BTC)


def test_asset_whose_name_is_not_ascii_has_a_code_of_its_own():
    (reading,) = spot({**BTC, "asset": "币安人生"}).readings

    code = reading.asset.code
    assert code.startswith("xn--")
    assert code.removeprefix("xn--").encode().decode("punycode") == "币安人生"
    assert reading.name == "币安人生 (spot)"


def test_wallet_of_futures_is_held_as_far_as_it_cannot_be_taken_out():
    (reading,) = observed(
        "futures",
        [WALLET, {**WALLET, "asset": "BNB", "balance": "0", "maxWithdrawAmount": "0"}],
    ).readings

    assert reading.external_id == "futures:SgsR:USDT"
    assert (reading.total, reading.available) == (12_260_735_137_903, 2_372_469_206)
    assert reading.held == reading.total - reading.available
    assert reading.kind == "futures"


def test_no_wallet_at_all_is_not_believed():
    with pytest.raises(errors.UnexpectedResponse):
        observed("futures", [])
