"""Histories of orders and fills are read whole, and agree with each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.coinbase import Provider, speaking
from providers.coinbase.orders import trade
from providers.coinbase.sandbox.exchange import FILL_FIGURES, FORGERIES, ORDER_FIGURES

from .rows import FILL, MONTH, everything


def test_history_is_told_oldest_first_and_again_where_it_may_not_be_final(bank, ask):
    read = lambda cursor: ask(lambda a: a.trades("all", cursor, **MONTH))  # noqa: E731
    first = read("")
    assert [t.created for t in first.rows] == sorted(t.created for t in first.rows)
    assert (len(first.rows), first.more) == (4, False)

    placed = ask(lambda a: a.open_orders())[0].external_id
    bank.do("fill_order", order=placed, size="0.01", when="2026-01-31T11:58:30Z")

    assert [t.order_id for t in read(first.cursor).rows] == [placed]
    assert read(first.cursor).cursor == first.cursor


def test_month_of_trading_that_is_too_much_for_one_call_is_read_whole(
    bank, monkeypatch
):
    monkeypatch.setattr(speaking, "MOST_PAGES", 3)
    customer = bank.add_customers(["busy"], orders=330, trades=1500)[0]
    adapter = Provider(customer.credentials)

    trades, _ = everything(adapter, bank, "trades")
    orders, _ = everything(adapter, bank, "orders")

    books = {topic: bank.ledger.topic(topic) for topic in ("fills", "orders")}
    assert {t.external_id for t in trades} == books["fills"].keys()
    assert {o.external_id for o in orders} == books["orders"].keys()
    for told in trades[::97]:
        row = books["fills"][told.external_id]["api"]
        assert told.quantity * told.price == told.cost
        assert (f"{told.quantity}", f"{told.fee}") == (row["size"], row["commission"])
    assert len({t.market for t in trades}) == 12
    assert [t.created for t in trades] == sorted(t.created for t in trades)


def test_filled_sums_of_orders_agree_with_their_fills(bank):
    customer = bank.add_customers(["busy"], orders=40, trades=200)[0]
    adapter = Provider(customer.credentials)

    fills = everything(adapter, bank, "trades")[0]

    for told in everything(adapter, bank, "orders")[0]:
        own = [t for t in fills if t.order_id == told.external_id]
        assert sum(t.quantity for t in own) == told.filled
        assert sum(t.cost for t in own) == told.cost


def test_fill_that_is_reversed_goes_the_other_way():
    plain, back = (trade({}, FILL | {"trade_type": t}) for t in ("FILL", "REVERSAL"))

    assert back == replace(plain, side="buy", fee=-plain.fee)


@pytest.mark.parametrize(
    "changes",
    [
        {"entry_id": ""},
        {"price": "0"},
        {"size": "-1"},
        {"size": 10},
        {"price": "1e3"},
        {"price": "NaN"},
        {"side": "UNKNOWN_ORDER_SIDE"},
        {"trade_type": "GIFT"},
        {"trade_time": "yesterday"},
        {"trade_time": "2023-11-26T10:19:47"},
        {"product_id": "ADA"},
        {"product_id": "ADA-"},
        {"product_id": "ADA-PERP-INTX"},
    ],
)
def test_fill_that_makes_no_sense_is_refused(changes):
    with pytest.raises((ValueError, TypeError, LookupError)):
        trade({}, FILL | changes)


def test_tale_of_a_client_is_compared_with_the_books(bank, ask):
    placed = [o.external_id for o in ask(lambda a: a.open_orders())]
    rows = {t: bank.ledger.topic(t) for t in ("orders", "fills")}
    figures = {"orders": ORDER_FIGURES, "fills": FILL_FIGURES}
    orders, fills = (
        {id: [row["api"][n] for n in figures[t]] for id, row in rows[t].items()}
        for t in ("orders", "fills")
    )
    heard = dict.fromkeys(placed, "OPEN")
    tale = {"orders": orders, "trades": fills, "heard": heard, "refused": FORGERIES}
    tale |= {"edwards": {}}

    assert bank.disputes(tale) == []
    for lie in (
        {"orders": {**orders, placed[0]: ["FILLED", "1", "0"]}},
        {"trades": dict([*fills.items()][1:])},
        {"refused": FORGERIES[1:]},
        {"edwards": {"none": "0"}},
        {"heard": {}},
        {"heard": {placed[0]: "FILLED"}},
    ):
        assert len(bank.disputes(tale | lie)) == 1
