"""What a customer may ask about himself: balances, orders, trades, positions, ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from providers.sandbox.ledger import Holder
from providers.sandbox.wire import Answer, Asked

from .catalogue import asset_called
from .door import Fields, flag, only, whole
from .public import Public
from .rows import line_row, order_row, position_row, trade_row
from .words import bad, fine, no

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
        return Decimal(text) if self.settings.extra.get("numbers") else text

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
        return fine({id: position_row(row, calculated) for id, row in mine.items()})

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
        return fine(self.key_info(name, asked.headers["api-key"]))

    # -- rows

    def _orders(self, name: str, trades: bool, fits: Callable[[Row], bool]) -> Rows:
        mine = self.orders_of(name)
        return [(id, order_row(order, trades)) for id, order in mine if fits(order)]

    def _trades(self, name: str) -> Rows:
        known = self.ledger.topic("trades").items()
        return [(id, trade_row(row)) for id, row in known if row["owner"] == name]

    def _lines(self, name: str) -> Rows:
        found: list[tuple[int, str, Row]] = []
        for holder in self.accounts(name):
            total = 0
            for entry in self.ledger.of(holder.id):
                total += entry.effect(holder.id)
                row = line_row(holder, entry, total)
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


def _moment(fields: Fields, name: str, known: Row, moment: str) -> Decimal | None:
    text = fields.get(name)
    if text is None:
        return None
    if text in known:
        return Decimal(known[text][moment])
    return Decimal(whole(fields, name))


def _named(rows: Row, fields: Fields, unknown: str) -> Row:
    ids = [id for id in fields.get("txid", "").split(",") if id]
    if not 0 < len(ids) <= MOST_IDS:
        raise bad("txid")
    if not set(ids) <= rows.keys():
        raise no(unknown)
    return {id: rows[id] for id in ids}
