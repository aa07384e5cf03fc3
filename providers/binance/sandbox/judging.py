"""What a client must have seen and heard, by the books."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from .holding import ZERO, Row
from .markets import plain
from .rows import NOTHING
from .talks import Talks

Heard = Mapping[str, Mapping[str, list[str]]]


class Judging(Talks):
    """The part of the exchange that is asked whether a tale is true."""

    def tale(self, account: Row) -> dict[str, dict[str, list[str]]]:
        """Return orders, trades and positions as clients tell them of what is traded."""
        found: dict[str, dict[str, list[str]]] = {"orders": {}, "trades": {}}
        for topic, rows in self.ledger.topics.items():
            what, *about = topic.split(":")
            if what not in found or about[1] != account["id"]:
                continue
            prefix = about[2] if about[0] == "spot" else f"futures:{about[2]}"
            tell = _order if what == "orders" else _trade
            found[what] |= {f"{prefix}:{id}": tell(row) for id, row in rows.items()}
        held = self.positions(account).items()
        open_ones = {s: p for s, p in held if Decimal(p["amount"])}
        positions = {s: [p["amount"], p["entry"]] for s, p in open_ones.items()}
        return {**found, "positions": positions}

    def misheard(self, account: Row, heard: Heard) -> list[str]:
        """Return which stream told another balance than the books have now."""
        wrong = []
        people = {name: account for name in heard}
        people["session"] = self.account_of("eve")
        for name, told in heard.items():
            known = self.spoken_balances(people[name], name)
            wrong += [
                f"{name}: {asset} is {known.get(asset)}, not {amounts}"
                for asset, amounts in told.items()
                if list(map(Decimal, amounts))
                != list(map(Decimal, known.get(asset, [])))
            ]
            wrong += [] if told else [f"{name}: nothing was heard"]
        return wrong

    def spoken_balances(self, account: Row, name: str) -> dict[str, list[str]]:
        """Return what a stream tells of an account: free and locked, or the wallet."""
        if name == "futures":
            wallets = {
                a: [plain(w["balance"])] for a, w in self.wallets(account).items()
            }
            held = self.positions(account).items()
            return wallets | {s: [p["amount"], p["entry"]] for s, p in held}
        total, locked = self.held(account, "spot"), self.locked(account)
        return {
            asset: [
                plain(amount - locked.get(asset, ZERO)),
                plain(locked.get(asset, ZERO)),
            ]
            for asset, amount in total.items()
        }


def _order(row: Row) -> list[str]:
    price = NOTHING if row["type"] == "MARKET" else row["price"]
    return [row["status"], row["filled"], price]


def _trade(row: Row) -> list[str]:
    return [row["price"], row["quantity"], row["fee"], row["pnl"]]
