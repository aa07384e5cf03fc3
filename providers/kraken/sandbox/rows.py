"""Orders, trades, positions and entries as REST shows them."""

from __future__ import annotations

from decimal import Decimal

from providers.sandbox.ledger import Entry, Holder

from .catalogue import SYMBOLS, asset_of
from .door import shown
from .engine import Row, net_of


def order_row(order: Row, trades: bool) -> Row:
    pair, filled = SYMBOLS[order["market"]], Decimal(order["filled"])
    price = "0" if order["kind"] == "market" else order["price"]
    words = f"{order['side']} {order['quantity']} {pair.altname} @ {order['kind']}"
    row = {
        "refid": None,
        "userref": 0,
        "status": order["status"],
        "opentm": shown(order["opened"]),
        "starttm": 0,
        "expiretm": 0,
        "descr": {
            "pair": pair.altname,
            "type": order["side"],
            "ordertype": order["kind"],
            "price": price,
            "price2": "0",
            "leverage": "none",
            "order": f"{words} {price}",
            "close": "",
        },
        "vol": order["quantity"],
        "vol_exec": order["filled"],
        "cost": order["cost"],
        "fee": order["fee"],
        "price": f"{Decimal(order['cost']) / filled:.5f}" if filled else "0.00000",
        "stopprice": "0.00000",
        "limitprice": "0.00000",
        "misc": "",
        "oflags": "fciq",
        "reason": order["reason"] or None,
    }
    if order["client_id"]:
        row["cl_ord_id"] = order["client_id"]
    if trades and order["trades"]:
        row["trades"] = order["trades"]
    return row | ({"closetm": shown(order["closed"])} if order["closed"] else {})


def trade_row(trade: Row) -> Row:
    row = {
        "ordertxid": trade["order"],
        "postxid": trade["order"].replace("O", "T", 1),
        "pair": SYMBOLS[trade["market"]].id,
        "time": shown(trade["time"]),
        "type": trade["side"],
        "ordertype": trade["kind"],
        "price": trade["price"],
        "cost": trade["cost"],
        "fee": trade["fee"],
        "vol": trade["quantity"],
        "margin": "0.00000",
        "leverage": "0",
        "misc": "",
        "trade_id": trade["trade_id"],
        "maker": trade["maker"],
    }
    return row | (
        {"posstatus": "closed", "net": trade["net"]} if "net" in trade else {}
    )


def position_row(row: Row, calculated: bool) -> Row:
    found = {
        "ordertxid": row["order"],
        "posstatus": "open",
        "pair": SYMBOLS[row["market"]].id,
        "time": shown(row["time"]),
        "type": row["side"],
        "ordertype": "limit",
        "cost": row["cost"],
        "fee": "0.00000",
        "vol": row["quantity"],
        "vol_closed": row["closed"],
        "margin": f"{Decimal(row['cost']) / 5:.5f}",
        "terms": "0.0100% per 4 hours",
        "rollovertm": str(int(shown(row["time"])) + 14_400),
        "misc": "",
        "oflags": "",
    }
    if not calculated:
        return found
    left = Decimal(row["quantity"]) - Decimal(row["closed"])
    value = f"{left * Decimal(row['mark']):f}"
    return {**found, "value": value, "net": f"{net_of(row):+f}"}


def line_row(holder: Holder, entry: Entry, total: int) -> Row:
    about, asset = entry.facts, asset_of(holder.facts["code"])
    return {
        "refid": about["refid"],
        "time": shown(about["time"]),
        "type": about["type"],
        "subtype": about["subtype"],
        "aclass": "currency",
        "asset": holder.facts["code"],
        "amount": asset.major(int(about["amount"])),
        "fee": asset.major(int(about["fee"])),
        "balance": asset.major(total),
    }
