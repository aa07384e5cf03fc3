from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.trading import checking
from accounts.trading.checking import UnusableRow
from accounts.trading.figures import NotAFigure, TooManyDigits, exact, plain

from .rows import NOON, a_position, a_trade, an_order


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(0, 40))
def test_figures_are_kept_to_the_last_digit(digits, decimals):
    value = Decimal(f"{digits}E-{decimals}")

    assert exact(value) == value
    assert Decimal(plain(exact(value))) == value
    assert "E" not in plain(exact(value))


@pytest.mark.parametrize(
    "wrong", [1.0, "1", True, None, Decimal("NaN"), Decimal("-Infinity")]
)
def test_what_is_not_exact_is_no_figure(wrong):
    with pytest.raises(NotAFigure):
        exact(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        Decimal("1E38"),
        Decimal("-1E38"),
        10**38,
        10**200,
        Decimal("1E-41"),
        Decimal("1E400"),
    ],
)
def test_more_digits_than_can_be_kept_are_refused_by_name(wrong):
    with pytest.raises(TooManyDigits):
        exact(wrong)


@pytest.mark.parametrize(
    "row",
    [
        an_order(""),
        an_order("o" * 101),
        an_order("o\0"),
        an_order(side="long"),
        an_order(status="gone"),
        an_order(quantity=Decimal("NaN")),
        an_order(filled=Decimal("-1")),
        an_order(price=1.5),
        an_order(created=NOON.replace(tzinfo=None)),
    ],
)
def test_one_senseless_order_discredits_its_page(row):
    with pytest.raises(UnusableRow):
        checking.orders([an_order("fine"), row])


def test_senseless_trades_and_positions_are_refused():
    for rows in (
        [a_trade("t", "hold", "1", "1")],
        [a_trade("t", "buy", "1", "1", fee=Decimal("1E-50"))],
        [a_trade("t", "buy", "1", "1"), a_trade("t", "buy", "1", "2")],
    ):
        with pytest.raises(UnusableRow):
            checking.trades(rows)
    for position in (a_position(quantity="0"), a_position(side="buy")):
        with pytest.raises(UnusableRow):
            checking.positions([position])


def test_the_same_row_twice_on_a_page_counts_once():
    assert len(checking.trades([a_trade("t", "buy", "1", "1")] * 2)) == 1
