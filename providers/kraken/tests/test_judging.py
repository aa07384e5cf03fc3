"""A client's tale is believed as far as the books agree."""

from __future__ import annotations

import pytest


@pytest.fixture
def said(exchange, alex):
    """What an honest client says, its numbers written as short as can be."""
    trades = exchange.ledger.topic("trades").items()
    told = {
        id: {"fee": row["fee"].rstrip("0"), "maker": row["maker"]} for id, row in trades
    }
    orders = exchange.ledger.topic("orders").items()
    return {
        "orders": {id: {"status": row["status"]} for id, row in orders},
        "trades": told,
        "heard_trades": dict(list(told.items())[:1]),
        "heard_balances": {"AA01N84G00000001:ADA": "500000000000"},
        "refused": ["EAPI:Invalid signature"],
    }


def test_honest_client_is_believed(exchange, said):
    assert exchange.disputes(said) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda said: said["orders"].popitem(), "was not seen"),
        (lambda said: said["orders"].update({"O": {}}), "O is none of the orders"),
        (lambda said: next(iter(said["trades"].values())).update(fee="1"), "fee of"),
        (lambda said: next(iter(said["trades"].values())).update(maker=1), "maker of"),
        (lambda said: said["heard_trades"].clear(), "heard_trades is empty"),
        (lambda said: said["heard_balances"].update({"AA": "1"}), "AA holds None"),
        (lambda said: said["refused"].clear(), "refused is empty"),
    ],
    ids=range(7),
)
def test_anything_else_is_disputed(exchange, said, change, words):
    change(said)

    assert words in "; ".join(exchange.disputes(said))
