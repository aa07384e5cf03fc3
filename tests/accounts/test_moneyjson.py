from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.moneyjson import money, parse_money
from accounts.text import clean, clean_json, is_clean
from providers.money import LARGEST, Asset, MoneyError

assets = st.builds(Asset, st.sampled_from(["GBP", "USDC", "BTC"]), st.integers(0, 18))


@given(st.integers(-LARGEST, LARGEST), assets)
def test_money_comes_back_from_json_to_the_last_unit(minor, asset):
    told = money(minor, asset)

    assert set(map(type, told.values())) == {str}
    assert parse_money(told, asset=asset) == minor
    assert parse_money({"asset": told["asset"], "minor": told["minor"]}) == minor
    assert parse_money({"asset": told["asset"], "amount": told["amount"]}) == minor


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        "5",
        None,
        {"asset": "GBP/2"},
        {"asset": "GBP/2", "minor": 5},
        {"asset": "GBP/2", "minor": True},
        {"asset": "GBP/2", "amount": 5.0},
        {"asset": "GBP/2", "amount": "5.001"},
        {"asset": "GBP/2", "minor": "1_000"},
        {"asset": "GBP/2", "minor": "１"},
        {"asset": "GBP/2", "minor": "NaN"},
        {"asset": "GBP/2", "minor": "5", "amount": "0.06"},
        {"asset": "USD/2", "minor": "5"},
        {"asset": "GBP", "minor": "5"},
        {"minor": "5"},
        {"asset": "GBP/2", "minor": "5", "currency": "GBP"},
    ],
)
def test_what_is_no_exact_money_is_refused(wrong):
    with pytest.raises(MoneyError):
        parse_money(wrong, asset="GBP/2")


def test_text_that_postgresql_refuses_is_made_fit():
    assert clean("a\0b\ud800c", 10) == "ab?c"
    assert clean("x" * 500, 200) == "x" * 200
    assert clean_json({"k\0": ["\0", {"n": None}]}) == '{"k": ["", {"n": null}]}'


def test_identifier_is_used_only_as_it_is():
    assert is_clean("acc_1", 100)
    assert not is_clean("acc\0", 100)
    assert not is_clean("", 100)
    assert not is_clean("x" * 101, 100)
