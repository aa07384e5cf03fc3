"""What customers hold, what of it is locked, and how that changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from providers.binance.answers import DECIMALS, account_id, owner_of
from providers.money import Asset
from providers.sandbox.ledger import OUTSIDE, Entry, Holder

from .keys import Keys
from .markets import plain

Row = dict[str, Any]
ZERO = Decimal(0)


class Holding(Keys):
    """The part of the exchange that keeps assets; each is a holder in the ledger."""

    def news(self, account: Row, segment: str, event: Row) -> None:
        """Tell those who listen to an account; see the sockets."""

    # -- holders

    def holder(self, account: Row, segment: str, asset: str) -> str:
        """Return where an asset of somebody is kept; it is opened if need be."""
        found = holder_of(account, segment, asset)
        if found not in self.ledger.holders:
            self.ledger.open(self.new_holder(account, segment, asset))
            self.ledger.put((assets_of(account, segment), asset, found))
        return found

    def new_holder(self, account: Row, segment: str, asset: str) -> Holder:
        kind = "exchange" if segment == "spot" else "futures"
        about = {"account": account["id"], "segment": segment, "kind": kind}
        found = holder_of(account, segment, asset)
        return self.open(found, f"{asset}/{DECIMALS}", **about)

    def held(self, account: Row, segment: str) -> dict[str, Decimal]:
        """Return what somebody holds as it is seen now, in whole units by asset."""
        known = self.ledger.topic(assets_of(account, segment))
        seen = self.seen()
        return {a: whole(self.ledger.balance(h, seen)) for a, h in known.items()}

    def account_of(self, name: str) -> Row:
        """Return the account of the customer called so; raises LookupError."""
        found: Row = self.ledger.topic("accounts")[self.ledger.topic("users")[name]]
        return found

    # -- what is locked

    def locked(self, account: Row) -> Mapping[str, Decimal]:
        """Return what is locked in spot: by open orders, and by other services."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for asset, amount in self.ledger.topic(f"locks:{account['id']}").items():
            found[asset] += Decimal(amount)
        for order in self.open_orders(account, "spot"):
            asset, amount = reserved(order)
            found[asset] += amount
        return found

    def open_orders(self, account: Row, segment: str) -> list[Row]:
        """Return the orders that are open, oldest first."""
        known = self.ledger.topic(f"open:{segment}:{account['id']}")
        return [
            self.ledger.topic(orders_of(segment, account, symbol))[number]
            for symbol, number in (key.split(":") for key in known)
        ]

    def free(self, account: Row, asset: str) -> Decimal:
        held = self.held(account, "spot").get(asset, ZERO)
        return held - self.locked(account).get(asset, ZERO)

    # -- changing

    def change(
        self, account: Row, segment: str, changes: Mapping[str, Decimal]
    ) -> None:
        """Let amounts come from the other side of a trade, or go there."""
        entries: list[Entry] = []
        for asset, change in changes.items():
            if not change:
                continue
            ends = OUTSIDE, self.holder(account, segment, asset)
            source, target = ends if change > 0 else ends[::-1]
            entry = Entry(
                f"tx_{len(self.ledger.entries) + len(entries) + 1:016d}",
                source,
                target,
                minor(abs(change)),
                self.clock.now(),
                facts={"description": "trade"},
            )
            entries.append(entry)
        if entries:
            self.ledger.move(*entries)
        self.touch(account)

    def touch(self, account: Row) -> None:
        self.ledger.put(("touched", account["id"], self.milliseconds()), sync=False)

    def enter(self, entry: Entry) -> None:
        """Write a deposit or a withdrawal to the books, and tell who listens."""
        super().enter(entry)
        for end in (entry.source, entry.target):
            if end == OUTSIDE:
                continue
            holder = self.ledger.holders[end]
            account = self.ledger.topic("accounts")[holder.facts["account"]]
            self.touch(account)
            self.moved_in(account, holder, whole(entry.effect(end)))

    def moved_in(self, account: Row, holder: Holder, change: Decimal) -> None:
        """Tell of money that came from elsewhere, or went there."""
        if holder.facts["segment"] == "spot" and change:
            now = self.milliseconds()
            row = {"a": holder.asset.code, "d": plain(change), "T": now}
            self.news(account, "spot", {"e": "balanceUpdate", "E": now, **row})
            self.tell_balances(account, [holder.asset.code])

    def tell_balances(self, account: Row, assets: Iterable[str]) -> None:
        """Tell the whole balances of the assets that may have changed."""
        held, locked = self.held(account, "spot"), self.locked(account)
        now = self.milliseconds()
        rows = [
            {
                "a": asset,
                "f": plain(held.get(asset, ZERO) - locked.get(asset, ZERO)),
                "l": plain(locked.get(asset, ZERO)),
            }
            for asset in assets
        ]
        told = {"e": "outboundAccountPosition", "E": now, "u": now, "B": rows}
        self.news(account, "spot", told)

    # -- happenings

    def deposit(self, name: str, asset: str, amount: str, segment: str = "spot") -> str:
        """Let somebody's coins arrive; `amount` is in whole units."""
        where = self.holder(self.account_of(name), segment, asset)
        return self.pay(where, minor(Decimal(amount))).id

    def withdraw(
        self, name: str, asset: str, amount: str, segment: str = "spot"
    ) -> str:
        """Let somebody send coins away; raises ValueError beyond what is free."""
        account = self.account_of(name)
        if segment == "spot" and Decimal(amount) > self.free(account, asset):
            raise ValueError("Account has insufficient balance for requested action.")
        where = self.holder(account, segment, asset)
        return self.spend(where, minor(Decimal(amount))).id

    def lock_up(self, name: str, asset: str, amount: str) -> None:
        """Let another service lock somebody's assets, or unlock them (below zero)."""
        account = self.account_of(name)
        topic = f"locks:{account['id']}"
        before = Decimal(self.ledger.topic(topic).get(asset, "0"))
        after = before + Decimal(amount)
        if after < 0 or Decimal(amount) > self.free(account, asset):
            raise ValueError("There is not so much to lock or to unlock")
        self.ledger.put((topic, asset, plain(after) if after else None))
        self.touch(account)
        now = self.milliseconds()
        row = {"a": asset, "d": plain(Decimal(amount)), "T": now}
        self.news(account, "spot", {"e": "externalLockUpdate", "E": now, **row})
        self.tell_balances(account, [asset])


def holder_of(account: Row, segment: str, asset: str) -> str:
    own = account["id"] if segment == "spot" else account["alias"]
    return account_id(owner_of(account["network"], segment, own), asset)


def assets_of(account: Row, segment: str) -> str:
    return f"assets:{segment}:{account['id']}"


def orders_of(segment: str, account: Row, symbol: str) -> str:
    return f"orders:{segment}:{account['id']}:{symbol}"


def trades_of(segment: str, account: Row, symbol: str) -> str:
    return f"trades:{segment}:{account['id']}:{symbol}"


def reserved(order: Row) -> tuple[str, Decimal]:
    """Return which asset an open order locks, and how much."""
    left = Decimal(order["quantity"]) - Decimal(order["filled"])
    if order["side"] == "SELL":
        return order["base"], left
    return order["quote"], left * Decimal(order["price"])


def whole(units: int) -> Decimal:
    return Decimal(units).scaleb(-DECIMALS)


def minor(amount: Decimal) -> int:
    return Asset("X", DECIMALS).minor(amount)
