"""What is said on open sockets when balances and orders change."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from providers.sandbox.ledger import Entry, Holder
from providers.sandbox.sockets import Talk

from .catalogue import SYMBOLS, asset_of
from .door import Door, iso
from .wallets import place_of
from .words import written


class News(Door):
    """The part of the exchange that tells subscribers what happened."""

    def told_of_entries(self, name: str, entries: Sequence[Entry]) -> None:
        """Say each entry of the ledger, with the whole balance it left behind."""
        for talk, told in self._subscribed("balances", name):
            for entry in entries:
                self._update(talk, "balances", told, [self.entry_row(entry)])

    def told_of_order(self, id: str, what: str, trade: str | None = None) -> None:
        """Say what happened to an order, in only the fields that tell of it."""
        order = self.ledger.topic("orders")[id]
        for talk, told in self._subscribed("executions", order["owner"]):
            row = self._execution(id, order, what, trade)
            self._update(talk, "executions", told, [row])

    def _subscribed(self, channel: str, name: str) -> list[tuple[Talk, dict[str, Any]]]:
        open_ones = [t for t in self.talks if t.closed is None]
        found = [(t, t.facts.get("told", {}).get(channel)) for t in open_ones]
        return [(talk, told) for talk, told in found if told and told["name"] == name]

    def _update(
        self, talk: Talk, channel: str, told: dict[str, Any], rows: list[Any]
    ) -> None:
        told["sequence"] += 1
        frame = {"channel": channel, "type": "update", "data": rows}
        talk.facts["spoke"] = self.clock.timestamp()
        talk.say(written({**frame, "sequence": told["sequence"]}))

    def entry_row(self, entry: Entry) -> dict[str, Any]:
        """Return an entry; its balance is all that is held of the asset, anywhere.

        With the setting `wallet_balances` it is that of its wallet: neither is documented.
        """
        about = entry.facts
        ends = (entry.source, entry.target)
        holder = next(self.ledger.holders[h] for h in ends if h in self.ledger.holders)
        asset, moment = holder.asset, iso(about["time"])
        base, kind, id = place_of(asset.code)
        return {
            "ledger_id": entry.id,
            "ref_id": about["refid"],
            "timestamp": moment,
            "type": about["type"],
            "subtype": about["subtype"],
            "asset": base,
            "asset_class": "currency",
            "category": about["type"],
            "wallet_type": kind,
            "wallet_id": id,
            "amount": Decimal(asset.major(int(about["amount"]))),
            "fee": Decimal(asset.major(int(about["fee"]))),
            "balance": self._everywhere(holder, base),
        }

    def _everywhere(self, holder: Holder, base: str) -> Decimal:
        """Return all that a holder's owner holds of an asset, in whole units."""
        if self.settings.extra.get("wallet_balances"):
            return Decimal(holder.asset.major(self.ledger.balance(holder.id)))
        owner, _, _ = holder.id.partition(":")
        mine = [h for id, h in self.ledger.holders.items() if id.startswith(owner)]
        found = [h for h in mine if place_of(h.asset.code)[0] == base]
        amounts = [h.asset.major(self.ledger.balance(h.id)) for h in found]
        return sum((Decimal(amount) for amount in amounts), Decimal(0))

    def _execution(
        self, id: str, order: dict[str, Any], what: str, trade: str | None
    ) -> dict[str, Any]:
        row: dict[str, Any] = {"order_id": id, "exec_type": what}
        row["timestamp"] = iso(self.moment())
        if what in ("pending_new", "new"):
            return {**row, **self.order_row(order), "order_status": what}
        if trade is not None:
            return {**row, **self.fill_row(trade)}
        status = {"order_status": what, "cum_qty": Decimal(order["filled"])}
        return {
            **row,
            **status,
            **({"reason": order["reason"]} if order["reason"] else {}),
        }

    def order_row(self, order: dict[str, Any]) -> dict[str, Any]:
        """Return an open order as a snapshot tells it."""
        filled = Decimal(order["filled"])
        row = {
            "symbol": order["market"],
            "side": order["side"],
            "order_type": order["kind"],
            "order_qty": Decimal(order["quantity"]),
            "cum_qty": filled,
            "cum_cost": Decimal(order["cost"]),
            "limit_price": Decimal(order["price"]),
            "time_in_force": "GTC",
            "order_userref": 0,
            "order_status": "partially_filled" if filled else "new",
            "timestamp": iso(order["opened"]),
        }
        return {**row, "cl_ord_id": order["client_id"]} if order["client_id"] else row

    def fill_row(self, id: str) -> dict[str, Any]:
        """Return a trade; its order may be filled by it and still be called partial."""
        trade = self.ledger.topic("trades")[id]
        order = self.ledger.topic("orders")[trade["order"]]
        code = SYMBOLS[trade["market"]].quote
        return {
            "order_id": trade["order"],
            "exec_id": id,
            "exec_type": "trade",
            "timestamp": iso(trade["time"]),
            "trade_id": trade["trade_id"],
            "symbol": trade["market"],
            "side": trade["side"],
            "order_type": trade["kind"],
            "order_status": "partially_filled",  # also by the last fill of an order
            "last_qty": Decimal(trade["quantity"]),
            "last_price": Decimal(trade["price"]),
            "cost": Decimal(trade["cost"]),
            "liquidity_ind": "m" if trade["maker"] else "t",
            "cum_qty": Decimal(order["filled"]),
            "cum_cost": Decimal(order["cost"]),
            "fees": [{"asset": asset_of(code).code, "qty": Decimal(trade["fee"])}],
        }
