"""Balances: what is held, what is free, and whose it is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors
from providers.base import Place
from providers.kraken import Provider
from providers.kraken.balances import Held, observation
from providers.kraken.names import display, market_called, market_of
from providers.money import Asset
from providers.sandbox.inside import sender
from providers.wire import drive

BTC = Asset("BTC", 10)
amounts = st.integers(0, 10**18).map(lambda n: Decimal(n).scaleb(-10))


@given(amounts, amounts, amounts, amounts)
def test_available_is_what_the_documentation_says_to_the_last_unit(
    balance, hold, credit, used
):
    held = Held(balance, hold, credit, used)
    (found,) = observation("AA", {"XXBT": held}, {"XXBT": BTC}).readings

    assert found.total == int(balance * 10**10)
    assert found.held == int(hold * 10**10)
    assert found.available == int((balance + credit - used - hold) * 10**10)


def test_holds_follow_orders_and_money_follows_fills(exchange, ask, adapter):
    def usd():
        found = {r.asset.code: r for r in ask(adapter.observe()).readings}["USD"]
        return found.total, found.available, found.held

    total, available, held = usd()
    id = exchange.do(
        "place_order",
        name="alex",
        market="BTC/USD",
        side="buy",
        quantity="0.01",
        price="50000.0",
    )
    assert usd() == (total, available - 500_0000, held + 500_0000)

    exchange.do("fill_order", order=id, quantity="0.004")
    cost, fee = 200_0000, 5000
    assert usd() == (total - cost - fee, available - 500_0000 - fee, held + 300_0000)

    exchange.do("cancel_order", order=id)
    assert usd() == (total - cost - fee, available - cost - fee, held)


def test_names_are_asked_for_only_if_one_is_new(exchange, alex, adapter, ask):
    places = [
        Place(h.external_id, h.kind, asset=Asset.parse(h.asset)) for h in alex.holdings
    ]
    asked = []
    exchange._speak, speak = lambda a: asked.append(a.path) or speak(a), exchange._speak

    assert ask(adapter.observe(places)).complete
    assert not any("public" in path for path in asked)

    exchange.do("deposit", name="alex", code="LINK", amount="3")
    seen = ask(adapter.observe(places))
    assert asked[-1] == "/0/public/Assets"
    assert seen.complete
    assert {r.asset.code: r.total for r in seen.readings}["LINK"] == 3 * 10**10


def test_places_of_another_account_tell_nothing_about_this_one(adapter, ask, alex):
    wrong = [Place("AA99OTHER:XXBT", "exchange", asset=Asset("BTC", 2))]

    seen = ask(adapter.observe(wrong))

    assert {r.external_id for r in seen.readings} == {
        h.external_id for h in alex.holdings
    }
    assert str({r.asset.code: r.asset for r in seen.readings}["BTC"]) == "BTC/10"


def test_asset_keeps_the_decimals_it_was_seen_with_and_nothing_is_rounded(adapter, ask):
    known = [Place("AA01N84G00000001:XXBT", "exchange", asset=Asset("BTC", 2))]

    seen = ask(adapter.observe(known))

    (btc,) = (r for r in seen.readings if r.asset.code == "BTC")
    assert (btc.total, btc.available) == (None, None)
    assert "1.2435" in btc.error
    assert not seen.complete


def test_suffix_is_an_account_of_its_own(adapter, ask):
    found = {r.asset.code: r for r in ask(adapter.observe()).readings}

    assert (found["BTC.M"].kind, found["ETH2.S"].kind) == ("earn", "staked")
    assert found["BTC.M"].total == 2_500_000_000
    assert found["BTC"].total == 12_435_000_000
    assert not found["BTC.M"].can_send


def test_numbers_are_read_as_well_as_texts(exchange, adapter, ask):
    texts = ask(adapter.observe())
    exchange.configure(extra={"numbers": True})

    assert ask(adapter.observe()) == texts


def test_credit_can_be_spent_but_is_not_held(exchange, adapter, ask):
    exchange.do(
        "grant_credit", name="alex", code="ZUSD", credit="1000.0000", used="200.0000"
    )

    (usd,) = (r for r in ask(adapter.observe()).readings if r.asset.code == "USD")

    assert (usd.total, usd.available) == (254352100, 254352100 - 58000000 + 8000000)


def test_quotes_are_last_prices_of_what_is_traded(exchange, adapter, ask):
    exchange.do("quote", market="BTC/USD", price="70123.4")

    found = {
        q.base: q.value for q in ask(adapter.quotes(["BTC", "DOGE", "ABC"], "USD"))
    }

    assert found == {"BTC": Decimal("70123.4"), "DOGE": Decimal("0.1400000")}
    assert ask(adapter.quotes(["USD"], "USD")) == []


def test_key_that_may_withdraw_is_told(exchange, adapter, ask):
    assert ask(adapter.permissions()).withdraw is False

    exchange.do("permit", name="alex", permissions=["withdraw-funds"])
    found = ask(adapter.permissions())
    assert (found.read, found.withdraw) == (False, True)
    assert any("query-closed-trades" in note for note in found.notes)


@pytest.mark.parametrize(
    ("altname", "new"),
    [
        ("XBT", "BTC"),
        ("XDG", "DOGE"),
        ("XBT.M", "BTC.M"),
        ("ETH2.S", "ETH2.S"),
        ("XTZ", "XTZ"),
    ],
)
def test_assets_have_their_new_names(altname, new):
    assert display(altname) == new


@pytest.mark.parametrize(
    ("pair", "name"),
    [
        ("XXMRZUSD", "XMR/USD"),
        ("WAVESUSDT", "WAVES/USDT"),
        ("OLDXBT", "OLD/BTC"),
        ("XXLMXXBT", "XLM/BTC"),
        ("A/USD", "A/USD"),
    ],
)
def test_market_that_is_traded_no_more_still_has_its_name(pair, name):
    known = {m: market_called(m) for m in ("ETH/USD", "ETH/USDT", "ETH/BTC")}

    assert market_of(pair, known).name == name


def test_nonce_that_was_overtaken_is_replaced_once(exchange, adapter, ask):
    ask(adapter.observe())
    exchange.do("use_elsewhere", name="alex", ahead=2)

    assert ask(adapter.observe()).complete
    exchange.do("use_elsewhere", name="alex", ahead=10)
    with pytest.raises(errors.Unavailable):
        ask(adapter.observe())


def test_two_keys_of_one_account_tell_the_same_accounts(exchange, adapter, ask):
    other = Provider(exchange.do("add_key", name="alex"))

    assert drive(other.observe(), sender(other, exchange)) == ask(adapter.observe())
