"""What a customer may ask about himself: balances, orders, trades, positions, ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from providers.sandbox.ledger import Entry, Holder
from providers.sandbox.wire import Answer, Asked

from .catalogue import SYMBOLS, asset_called, asset_of
from .door import Fields, flag, only, shown, whole
from .engine import net_of
from .errors import bad, fine, no
from .public import Public

PAGE: Final = 50
MOST_IDS: Final = 20
OPEN, CLOSED = "query-open-trades", "query-closed-trades"
Row = dict[str, Any]
Rows = list[tuple[str, Row]]


class Reports(Public):
    """The part of the exchange that tells customers what is theirs."""

    def balance_page(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, ["query-funds"], 1)
        only(fields)
        found = self.accounts(name)
        return fine({h.facts["code"]: self._major(h, self._held(h)) for h in found})

    def balance_ex(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, ["query-funds"], 1)
        only(fields)
        held = self.held(name, self.seen())
        return fine(
            {
                h.facts["code"]: self._extended(name, h, held)
                for h in self.accounts(name)
            }
        )

    def _held(self, holder: Holder) -> int:
        return self.ledger.balance(holder.id, self.seen())

    def _major(self, holder: Holder, minor: int) -> Any:
        text = holder.asset.major(minor)
        # The schema says that these are texts, an example shows numbers.
        return float(text) if self.settings.extra.get("numbers") else text

    def _extended(self, name: str, holder: Holder, held: Mapping[str, int]) -> Row:
        code = holder.facts["code"]
        row = {
            "balance": self._major(holder, self._held(holder)),
            "hold_trade": self._major(holder, held.get(code, 0)),
        }
        credit = self.ledger.topic("people")[name]["credit"].get(code)
        named = zip(("credit", "credit_used"), credit or (), strict=False)
        return row | dict(named)

    def trade_balance(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, ["query-funds"], 1)
        code = asset_called(only(fields, "asset").get("asset", "ZUSD"))
        if code is None:
            raise no("EQuery:Unknown asset")
        mine = [h for h in self.accounts(name) if h.facts["code"] == code]
        total = mine[0].asset.major(self._held(mine[0])) if mine else "0.0000"
        same, none = ("eb", "tb", "e", "mf"), ("m", "n", "c", "v")
        return fine({**dict.fromkeys(same, total), **dict.fromkeys(none, "0.0000")})

    def open_orders(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, [OPEN], 1)
        only(fields, "trades", "userref", "cl_ord_id", "rebase_multiplier")
        rows = self._orders(name, flag(fields, "trades"), _wanted(fields))
        return fine({"open": {id: r for id, r in rows[::-1] if r["status"] == "open"}})

    def closed_orders(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, [CLOSED], 1)
        known = ("trades", "userref", "cl_ord_id", "start", "end", "ofs", "closetime")
        only(fields, *known, "consolidate_taker", "without_count")
        by = fields.get("closetime", "both")
        if by not in ("open", "close", "both"):
            raise bad("closetime")
        rows = self._orders(name, flag(fields, "trades"), _wanted(fields))
        rows = [(id, row) for id, row in rows if row["status"] != "open"]
        moment = "opentm" if by == "open" else "closetm"
        page, count = _page(rows, fields, moment)
        return fine({"closed": page, "count": count})

    def query_orders(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, [OPEN, CLOSED], 1)
        only(fields, "txid", "trades", "userref", "consolidate_taker")
        rows = dict(self._orders(name, flag(fields, "trades"), _wanted(fields)))
        return fine(_named(rows, fields, "EOrder:Unknown order"))

    def trades_history(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, [CLOSED], 2)
        known = ("type", "trades", "start", "end", "ofs", "consolidate_taker")
        only(fields, *known, "ledgers", "rebase_multiplier", "without_count")
        if fields.get("type", "all") not in ("all", "no position"):
            return fine({"trades": {}, "count": 0})
        page, count = _page(self._trades(name), fields, "time")
        return fine({"trades": page, "count": count})

    def query_trades(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, [OPEN, CLOSED], 1)
        only(fields, "txid", "trades")
        rows = dict(self._trades(name))
        return fine(_named(rows, fields, "EOrder:Unknown order"))

    def open_positions(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, [OPEN], 1)
        only(fields, "txid", "docalcs", "consolidation", "rebase_multiplier")
        calculated, known = flag(fields, "docalcs"), self.ledger.topic("positions")
        mine = {id: row for id, row in known.items() if row["owner"] == name}
        return fine({id: _position(row, calculated) for id, row in mine.items()})

    def ledgers(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, ["query-ledger"], 2)
        known = ("asset", "aclass", "type", "start", "end", "ofs", "without_count")
        only(fields, *known)
        kind = fields.get("type", "all")
        rows = [(i, r) for i, r in self._lines(name) if kind in ("all", r["type"])]
        if (asset := fields.get("asset", "all")) != "all":
            wanted = {asset_called(one) for one in asset.split(",")}
            rows = [(id, row) for id, row in rows if row["asset"] in wanted]
        page, count = _page(rows, fields, "time")
        return fine({"ledger": page, "count": count})

    def query_ledgers(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, ["query-ledger"], 2)
        wish = only(fields, "id", "trades")
        rows = dict(self._lines(name))
        return fine(_named(rows, {"txid": wish.get("id", "")}, "EQuery:Unknown ledger"))

    def api_key_info(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, [], 1)
        only(fields)
        return fine(self.key_info(name))

    # -- rows

    def _orders(self, name: str, trades: bool, fits: Callable[[Row], bool]) -> Rows:
        mine = self.orders_of(name)
        return [(id, _order(order, trades)) for id, order in mine if fits(order)]

    def _trades(self, name: str) -> Rows:
        known = self.ledger.topic("trades").items()
        return [(id, _trade(row)) for id, row in known if row["owner"] == name]

    def _lines(self, name: str) -> Rows:
        found: list[tuple[int, str, Row]] = []
        for holder in self.accounts(name):
            total = 0
            for entry in self.ledger.of(holder.id):
                total += entry.effect(holder.id)
                row = _line(holder, entry, total)
                found.append((entry.facts["time"], entry.id, row))
        return [(id, row) for _, id, row in sorted(found, key=lambda one: one[:2])]


def _wanted(fields: Fields) -> Callable[[Row], bool]:
    """Return whether an order is one of those asked for by the client's own names."""
    client = fields.get("cl_ord_id")
    return lambda order: client is None or order["client_id"] == client


def _page(rows: Rows, fields: Fields, moment: str) -> tuple[Row, int]:
    """Return a page of rows, newest first, and how many there are in all."""
    known = dict(rows)
    start, end = (_moment(fields, name, known, moment) for name in ("start", "end"))
    found = [
        (id, row)
        for id, row in rows
        if (start is None or row[moment] > start)
        and (end is None or row[moment] <= end)
    ]
    found.sort(key=lambda one: one[1][moment])
    offset = whole(fields, "ofs")
    return dict(found[::-1][offset : offset + PAGE]), len(found)


def _moment(fields: Fields, name: str, known: Row, moment: str) -> float | None:
    text = fields.get(name)
    if text is None:
        return None
    if text in known:
        return float(known[text][moment])
    return float(whole(fields, name))


def _named(rows: Row, fields: Fields, unknown: str) -> Row:
    ids = [id for id in fields.get("txid", "").split(",") if id]
    if not 0 < len(ids) <= MOST_IDS:
        raise bad("txid")
    if not set(ids) <= rows.keys():
        raise no(unknown)
    return {id: rows[id] for id in ids}


def _order(order: Row, trades: bool) -> Row:
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


def _trade(trade: Row) -> Row:
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


def _position(row: Row, calculated: bool) -> Row:
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


def _line(holder: Holder, entry: Entry, total: int) -> Row:
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
