from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.trading.gains import Holding, effect, work_out
from providers.trading import Market

from .rows import MARKET, a_trade, minute

OTHER = Market("AAACCC", "AAA", "CCC")


def gains(trades, quantity="0", readings=(), code="AAA"):
    held = Holding(Decimal(quantity), minute(10**6), readings)
    worked = work_out(trades, {code: held})
    return {key[2]: (str(g.amount), g.asset) for key, g in worked.gains.items()}


def in_order(*trades):
    return [replace(trade, created=minute(n)) for n, trade in enumerate(trades)]


BUY = a_trade("b", "buy", "2", "10")
SELL = a_trade("s", "sell", "1", "15")


def test_sale_earns_what_it_brought_less_what_the_oldest_has_cost():
    trades = in_order(
        BUY, a_trade("c", "buy", "2", "20"), a_trade("s", "sell", "3", "30")
    )

    assert gains(trades, "1") == {"s": ("50", "BBB")}


def test_fees_of_both_sides_count():
    fees = {"fee": Decimal("0.5"), "fee_asset": "BBB"}
    trades = in_order(replace(BUY, **fees), replace(SELL, **fees))

    assert gains(trades, "1") == {"s": ("4.25", "BBB")}


def test_fee_in_the_asset_itself_makes_the_rest_dearer():
    fees = {"fee": Decimal("0.4"), "fee_asset": "AAA"}
    trades = in_order(replace(BUY, **fees), a_trade("s", "sell", "1.6", "15"))

    assert gains(trades) == {"s": ("4", "BBB")}


def test_what_does_not_end_is_rounded_half_to_even_at_18_decimals():
    trades = in_order(
        a_trade("b", "buy", "3", "10", fee=Decimal("0.1"), fee_asset="BBB"), SELL
    )

    assert gains(trades, "2") == {"s": ("4.966666666666666667", "BBB")}


@pytest.mark.parametrize(
    ("trades", "quantity"),
    [
        ([SELL], "4"),  # what it has cost was never known
        ([BUY, SELL], "1.5"),  # something came in from elsewhere
        ([BUY, SELL], "0.5"),
        ([SELL, BUY], "1"),  # more was sold than there was
        ([replace(BUY, fee=Decimal(1), fee_asset="ZZZ"), SELL], "1"),
        ([BUY, replace(SELL, fee=Decimal(1), fee_asset="ZZZ")], "1"),
        ([replace(BUY, fee=None), SELL], "1"),
        (
            [BUY, replace(SELL, market=OTHER)],
            "1",
        ),  # bought and sold for different things
    ],
)
def test_gain_that_cannot_be_known_is_not_told(trades, quantity):
    assert gains(in_order(*trades), quantity) == {}


def test_gain_of_the_provider_is_not_worked_out_again():
    assert gains(in_order(BUY, replace(SELL, pnl=Decimal(1))), "1") == {}


def test_history_counts_from_when_nothing_was_left():
    trades = in_order(a_trade("x", "sell", "7", "1"), BUY, SELL)

    assert gains(trades, "1") == {"s": ("5", "BBB")}


def test_balance_that_was_read_and_contradicts_the_trades_ends_what_is_known():
    trades = in_order(BUY, replace(SELL, created=minute(0)))
    trades[1] = replace(trades[1], created=minute(60))

    assert gains(trades, "1", [(minute(30), Decimal(2))]) == {"s": ("5", "BBB")}
    assert gains(trades, "1", [(minute(30), Decimal(3))]) == {}


def test_deposit_takes_nothing_away_from_what_was_known_before_it():
    trades = in_order(BUY, SELL, a_trade("later", "sell", "1", "20"))
    trades[2] = replace(trades[2], created=minute(90))

    # One more came in after the first balance was read; one is left in the end.
    assert gains(trades, "1", [(minute(30), Decimal(1))]) == {"s": ("5", "BBB")}


def test_withdrawal_ends_a_stretch_and_the_next_begins_at_nothing():
    trades = in_order(BUY, SELL)
    trades += [
        replace(BUY, external_id="b2", created=minute(100)),
        replace(SELL, external_id="s2", created=minute(101)),
    ]

    # What was left was withdrawn in between, to the last of it.
    found = gains(trades, "1", [(minute(30), Decimal(1)), (minute(60), Decimal(0))])

    assert found == {"s": ("5", "BBB"), "s2": ("5", "BBB")}


def test_trades_made_after_the_balance_was_read_are_not_taken_back():
    trades = in_order(BUY, SELL)
    worked = work_out(trades, {"AAA": Holding(Decimal(2), minute(0))})

    assert [g.amount for g in worked.gains.values()] == [Decimal(5)]


def test_what_is_kept_is_a_position_at_what_it_has_cost():
    worked = work_out(in_order(BUY, SELL), {"AAA": Holding(Decimal(1), minute(9))})

    [kept] = worked.kept
    assert (kept.market, kept.quantity, kept.entry_price, kept.since) == (
        MARKET,
        Decimal(1),
        Decimal(10),
        minute(0),
    )


@st.composite
def histories(draw):
    """Draw trades that never sell what is not there, and what is left in the end."""
    trades, left = [], 0
    for number in range(draw(st.integers(1, 25))):
        side = draw(st.sampled_from(["buy", "sell"])) if left else "buy"
        most = left if side == "sell" else 10**20
        units, price = draw(st.integers(1, most)), draw(st.integers(0, 10**12))
        left += units if side == "buy" else -units
        fee = {"fee": Decimal(draw(st.integers(0, 10**6))), "fee_asset": "BBB"}
        quantity = Decimal(units).scaleb(-8)
        trades.append(
            a_trade(
                f"t{number:03}",
                side,
                str(quantity),
                str(price),
                cost=Decimal(units * price).scaleb(-8)
                if units * price < 10**28
                else Decimal(0),
                created=minute(number),
                **fee,
            )
        )
    return trades, left


@given(histories())
def test_no_money_is_made_or_lost_between_gains_and_what_is_kept(history):
    trades, left = history
    held = Holding(Decimal(left).scaleb(-8), minute(10**6))

    worked = work_out(trades, {"AAA": held})

    moved = sum(effect(trade, "BBB") for trade in trades)
    gained = sum(Fraction(gain.amount) for gain in worked.gains.values())
    kept = sum(Fraction(k.quantity) * Fraction(k.entry_price) for k in worked.kept)
    # Each figure is rounded at its 18th decimal; the price is times what is kept.
    most = Fraction(len(trades) + left + 1, 10**18)
    assert abs(gained - kept - moved) <= most
    assert len(worked.gains) == sum(t.side == "sell" for t in trades)
