"""Every account is told, exactly, however many pages they take."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors
from providers.coinbase import Provider
from providers.coinbase.accounts import readings
from providers.coinbase.markets import quotes
from providers.money import Asset
from providers.sandbox.inside import sender
from providers.wire import Response, drive

from .conftest import ROOT


def row(**changes):
    about = {
        "uuid": "1",
        "name": "ADA Wallet",
        "currency": "ADA",
        "available_balance": {"value": "4.9284651373197937", "currency": "ADA"},
        "hold": {"value": "0.0000000000000000", "currency": "ADA"},
        "active": True,
        "deleted_at": None,
        "type": "ACCOUNT_TYPE_CRYPTO",
    }
    return about | changes


def money(value, currency="ADA"):
    return {"value": value, "currency": currency}


def test_every_page_is_followed(bank):
    customer = bank.add_customers(["rich"], accounts=612)[0]
    adapter, asked = Provider(customer.credentials), []
    send = sender(adapter, bank)

    def watch(request):
        asked.append(dict(request.params))
        return send(request)

    found = drive(adapter.observe(), watch)

    assert {r.external_id: r.total for r in found.readings} == {
        h.external_id: bank.balance(h.external_id) for h in customer.holdings
    }
    assert [a.get("cursor") for a in asked] == [None, "362", "112"]


AMOUNTS = st.integers(0, 10**40)


@given(available=AMOUNTS, hold=AMOUNTS)
def test_account_holds_what_is_available_and_what_is_blocked(available, hold):
    asset = Asset("ADA", 18)
    figures = {"available_balance": available, "hold": hold}
    told = {name: money(asset.major(amount)) for name, amount in figures.items()}

    (seen,) = readings({"accounts": [row(**told)]})

    assert (seen.available, seen.held) == (available, hold)
    assert seen.total == available + hold


@pytest.mark.parametrize("about", [{"type": "ACCOUNT_TYPE_PERP_FUTURES"}, {}])
@pytest.mark.parametrize(
    "platform",
    ["ACCOUNT_PLATFORM_CONSUMER", "ACCOUNT_PLATFORM_CFM_CONSUMER", None],
)
def test_collateral_of_futures_is_kept_apart(about, platform):
    (seen,) = readings({"accounts": [row(platform=platform, **about)]})

    apart = bool(about) or platform == "ACCOUNT_PLATFORM_CFM_CONSUMER"
    assert seen.kind == ("futures" if apart else "exchange")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"hold": money("0.0000000000000000001")}, "not an exact amount of ADA/18"),
        ({"available_balance": money("1e3")}, "not a plain decimal number"),
        ({"available_balance": None}, "not told"),
        ({"hold": None}, "not told"),
    ],
)
def test_one_unreadable_amount_leaves_the_others_alone(changes, why):
    right, unknown = readings({"accounts": [row(), row(uuid="2", **changes)]})

    assert right.total == 4928465137319793700
    assert (unknown.total, unknown.available, unknown.held) == (None, None, 0)
    assert why in unknown.error


@pytest.mark.parametrize(
    "changes",
    [
        {"uuid": ""},
        {"uuid": None},
        {"currency": "BTC"},
        {"currency": "<b>"},
        {"hold": money("0", "BTC")},
        {"hold": "0"},
        {"available_balance": {"currency": "ADA"}},
        {"available_balance": money(4.5)},
        {"active": "yes"},
        {"deleted_at": 7},
    ],
)
def test_account_that_makes_no_sense_spoils_the_answer(changes):
    with pytest.raises((ValueError, TypeError, LookupError)):
        readings({"accounts": [row(**changes)]})


def test_account_that_was_deleted_or_stopped_is_told_so(bank, alex, ask):
    gone = alex.holdings[-1].external_id
    bank.do("close_account", account=gone)

    (seen,) = (r for r in ask(lambda a: a.observe()).readings if r.external_id == gone)
    (stopped,) = readings({"accounts": [row(active=False)]})

    assert (seen.closed, seen.can_send, seen.can_receive) == (True, False, False)
    assert (stopped.closed, stopped.can_send) == (False, False)
    assert stopped.total == 4928465137319793700


def test_currency_that_is_held_for_the_first_time_is_one_more_account(bank, ask):
    before = {r.external_id for r in ask(lambda a: a.observe()).readings}
    new = bank.do("open_account", name="alex", currency="XRP")
    bank.pay(new, 5)

    after = {r.external_id: r for r in ask(lambda a: a.observe()).readings}

    assert after.keys() - before == {new}
    assert (str(after[new].asset), after[new].total) == ("XRP/18", 5)


@pytest.mark.parametrize(
    "page",
    [
        {"accounts": [], "has_next": True, "cursor": "7"},  # for ever
        {"accounts": [], "has_next": True, "cursor": ""},
        {"accounts": [], "has_next": "false", "cursor": ""},
        {"accounts": [], "has_next": True},
    ],
)
def test_list_that_does_not_go_on_has_a_name(page):
    body, asked = json.dumps(page).encode(), []

    def answer(request):
        asked.append(request)
        return Response(200, {}, body)

    with pytest.raises(errors.UnexpectedResponse):
        drive(Provider({}).observe(), answer)
    assert len(asked) <= 2


def test_pages_of_the_exchange_are_as_documented(bank, client):
    bank.do("open_account", name="alex", currency="LTC")

    def page(*params):
        return client(f"{ROOT}/accounts", *params)

    first = page(("limit", "4"))[1]
    rest = page(("limit", "4"), ("cursor", first["cursor"]))[1]

    assert (first["has_next"], first["size"], rest["has_next"]) == (True, 4, False)
    assert len({a["uuid"] for a in first["accounts"] + rest["accounts"]}) == 7
    for wrong in ("0", "251", "x", "-1", ""):
        assert page(("limit", wrong))[0] == 400
    assert page(("cursor", "99"))[0] == 400
    assert page(("order", "asc"))[0] == 400


def test_portfolio_of_somebody_else_is_not_there(bank, client):
    other = bank.add_customers(["bea"])[0].account.external_id

    assert client(f"{ROOT}/accounts/{other}")[0] == 404
    assert client(f"{ROOT}/accounts")[1]["size"] == 6


def test_rates_are_the_last_prices_of_pairs_with_the_base(bank, ask):
    bank.do("set_price", product="BTC-GBP", price="50000.5")

    found = ask(lambda a: a.quotes(["BTC", "ETH", "GBP", "NONE"], "GBP"))

    assert {(q.base, q.quote, q.value) for q in found} == {
        ("BTC", "GBP", Decimal("50000.5")),
        ("ETH", "GBP", Decimal("2415.74")),
    }


def test_pair_without_a_price_is_left_out():
    about = {"base_currency_id": "BTC", "quote_currency_id": "GBP"}
    told = {"products": [about | {"price": price} for price in ("", "0", "7")]}

    assert [q.value for q in quotes({"BTC"}, "GBP", told)] == [7]
