"""Events as the streams tell them. Source: user-data-stream.md, and the futures' events."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from .holding import Row
from .markets import plain
from .rows import NOTHING


def execution_report(
    order: Row, what: str, trade: Row | None, number: int, now: int
) -> Row:
    """Return an "Order Update" of spot."""
    cancelled = what == "CANCELED"
    return {
        "e": "executionReport",
        "E": now,
        "s": order["symbol"],
        "c": f"cancel-{order['id']}" if cancelled else order["client"],
        "S": order["side"],
        "o": order["type"],
        "f": "GTC",
        "q": order["quantity"],
        "p": NOTHING if order["type"] == "MARKET" else order["price"],
        "P": NOTHING,
        "F": NOTHING,
        "g": -1,
        "C": order["client"] if cancelled else "",
        "x": what,
        "X": order["status"],
        "r": "NONE",
        "i": order["id"],
        "l": trade["quantity"] if trade else NOTHING,
        "z": order["filled"],
        "L": trade["price"] if trade else NOTHING,
        "n": trade["fee"] if trade else "0",
        "N": trade["fee_asset"] if trade else None,
        "T": order["updated"],
        "t": trade["id"] if trade else -1,
        "I": number,
        "w": order["status"] in ("NEW", "PARTIALLY_FILLED"),
        "m": trade["maker"] if trade else False,
        "M": False,
        "O": order["time"],
        "Z": order["cost"],
        "Y": trade["cost"] if trade else NOTHING,
        "Q": NOTHING,
        "W": order["time"],
        "V": "NONE",
    }


def order_trade_update(order: Row, what: str, trade: Row | None, now: int) -> Row:
    """Return an "Order Update" of the futures."""
    filled = Decimal(order["filled"])
    told = {
        "s": order["symbol"],
        "c": order["client"],
        "S": order["side"],
        "o": order["type"],
        "f": "GTC",
        "q": order["quantity"],
        "p": NOTHING if order["type"] == "MARKET" else order["price"],
        "ap": plain(Decimal(order["cost"]) / filled) if filled else NOTHING,
        "sp": NOTHING,
        "x": what,
        "X": order["status"],
        "i": order["id"],
        "l": trade["quantity"] if trade else NOTHING,
        "z": order["filled"],
        "L": trade["price"] if trade else NOTHING,
        "T": order["updated"],
        "t": trade["id"] if trade else 0,
        "b": NOTHING,
        "a": NOTHING,
        "m": trade["maker"] if trade else False,
        "R": False,
        "wt": "CONTRACT_PRICE",
        "ot": order["type"],
        "ps": "BOTH",
        "cp": False,
        "pP": False,
        "rp": trade["pnl"] if trade else NOTHING,
        "V": "NONE",
        "pm": "NONE",
        "gtd": 0,
    }
    # Left out where there was no fill.
    fee = {"N": trade["fee_asset"], "n": trade["fee"]} if trade else {}
    event = {"e": "ORDER_TRADE_UPDATE", "E": now, "T": order["updated"]}
    return {**event, "o": {**told, **fee}}


def account_update(
    why: str,
    wallets: Mapping[str, Mapping[str, Decimal]],
    position: Row | None,
    now: int,
) -> Row:
    """Return a "Balance and Position Update" of the futures."""
    rows = [
        {
            "a": asset,
            "wb": plain(wallet["balance"]),
            "cw": plain(wallet["balance"]),
            "bc": "0",
        }
        for asset, wallet in wallets.items()
        if wallet["balance"]
    ]
    held = [] if position is None else [_position(position)]
    about = {"m": why, "B": rows, "P": held}
    return {"e": "ACCOUNT_UPDATE", "E": now, "T": now, "a": about}


def _position(row: Row) -> Row:
    return {
        "s": row["symbol"],
        "pa": row["positionAmt"],
        "ep": row["entryPrice"],
        "bep": row["breakEvenPrice"],
        "cr": "0",
        "up": row["unRealizedProfit"],
        "mt": "cross",
        "iw": "0",
        "ps": row["positionSide"],
    }
