"""Futures are told in what their contracts are of."""

from __future__ import annotations

from decimal import Decimal

import pytest

from providers import errors
from providers.coinbase.orders import positions, trade
from providers.trading import Market

from .conftest import ROOT
from .rows import FILL, FUTURE


def test_contract_that_nobody_lists_has_no_size_to_guess(bank, ask):
    bank.demo_world()
    wish = {"side": "long", "contracts": "1", "entry": "1"}
    bank.do("take_position", name="alex", product="BIT-24DEC27-CDE", **wish)
    bank.fault("replace", path=f"{ROOT}/products", value={"product_id": "other"})

    with pytest.raises(errors.UnexpectedResponse):
        ask(lambda a: a.positions())


def test_positions_are_told_in_what_their_contracts_are_of(bank, ask):
    bank.demo_world()
    assert ask(lambda a: a.positions()) == []
    bank.do(
        "take_position",
        name="alex",
        product="BIT-24DEC27-CDE",
        side="short",
        contracts="3",
        entry="70000",
    )

    (held,) = ask(lambda a: a.positions())

    assert held.market == Market("BIT-24DEC27-CDE", "BTC", "USD", "futures")
    assert (held.side, held.quantity) == ("short", Decimal("0.03"))
    assert (held.entry_price, held.mark_price) == (70000, 69165)
    assert (held.pnl, held.pnl_asset) == (Decimal("25.05"), "USD")


def test_prices_of_positions_are_read_with_and_without_their_currency():
    plain = {
        "product_id": FUTURE.market.name,
        "side": "LONG",
        "number_of_contracts": "2",
        "current_price": "50000.00",
        "avg_entry_price": "49000.00",
        "unrealized_pnl": "20.00",
        "liquidation_price": "40000.00",
    }
    prices = [
        k for k in plain if k not in ("product_id", "side", "number_of_contracts")
    ]
    dressed = plain | {k: {"value": plain[k], "currency": "USD"} for k in prices}

    first, second = (
        positions({FUTURE.market.name: FUTURE}, {"positions": [row]})
        for row in (plain, dressed)
    )

    assert first == second
    assert (first[0].quantity, first[0].liquidation_price) == (Decimal("0.02"), 40000)
    assert positions({FUTURE.market.name: FUTURE}, {"positions": []}) == []


def test_fill_of_a_future_is_told_in_what_it_is_of():
    row = FILL | {"product_id": FUTURE.market.name, "price": "69000", "size": "2"}

    told = trade({FUTURE.market.name: FUTURE}, row)

    assert (told.quantity, told.cost) == (Decimal("0.02"), 1380)
    assert (told.fee_asset, told.market) == ("USD", FUTURE.market)
