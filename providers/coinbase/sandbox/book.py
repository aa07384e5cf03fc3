"""The order book: what customers ordered, and what came of it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from providers.money import Asset
from providers.sandbox import clock

from .draft import LIVE, Draft, Row, plain
from .keys import Keys
from .products import FUTURES, PAIRS

ENDS: Final = ("CANCELLED", "EXPIRED", "FAILED")


class Book(Keys):
    """The part where things happen to orders; whoever listens is told."""

    def place_order(
        self,
        name: str,
        product: str,
        side: str,
        size: str | None = None,
        price: str | None = None,
        *,
        quote_size: str | None = None,
        client_id: str = "",
        when: str = "",
    ) -> str:
        """Order something, and return the order's id; raises ValueError without the money."""
        if product not in PAIRS or side not in ("buy", "sell"):
            raise ValueError(f"Nobody can {side} {product} here")
        if (size is None) == (quote_size is None):
            raise ValueError("An order is for a size or for a quote_size")
        accounts = {code: self.account_of(name, code) for code in product.split("-")}
        wish = {"product": product, "side": side, "size": size, "price": price}
        draft = Draft(self.ledger)
        moment = self._moment(when)
        wish |= {"quote_size": quote_size, "client_id": client_id}
        order = draft.place(name, accounts, moment, wish)
        if int(order["hold"]) > self.available(order["blocks"]):
            raise ValueError("There is not enough money")
        self.commit(draft)
        return str(order["api"]["order_id"])

    def fill_order(
        self,
        order: str,
        size: str | None = None,
        price: str | None = None,
        *,
        maker: bool = True,
        when: str = "",
    ) -> str:
        """Fill an order, whole or part of it, and return the fill's id."""
        known = self._open(order)
        wish = next(iter(known["api"]["order_configuration"].values()))
        at = Decimal(
            price
            or wish.get("limit_price")
            or self.price_of(known["api"]["product_id"])
        )
        spent = wish.get("quote_size")
        part = Decimal(size or known["left"] or Decimal(spent) / at)
        if known["left"] and part > Decimal(known["left"]):
            raise ValueError(f"Only {known['left']} are left to be filled")
        draft = Draft(self.ledger)
        about = {"maker": maker, "last": known["left"] is None}
        _, fill = draft.fill(known, part, at, self._moment(when), **about)
        self.commit(draft)
        return fill

    def end_order(self, order: str, status: str = "CANCELLED") -> None:
        """End an order before it is filled: CANCELLED, EXPIRED or FAILED."""
        if status not in ENDS:
            raise ValueError(f"An order ends as {', '.join(ENDS)}")
        self._turn(order, status)

    def queue_order(self, order: str, status: str = "QUEUED") -> None:
        """Let an order wait for the exchange: PENDING, QUEUED, CANCEL_QUEUED …"""
        if status not in LIVE:
            raise ValueError(f"An order is {', '.join(sorted(LIVE))} before it ends")
        self._turn(order, status)

    def take_position(
        self, name: str, product: str, side: str, contracts: str, entry: str
    ) -> None:
        """Hold contracts of a future, `long` or `short`; none at all with zero."""
        if product not in FUTURES or side not in ("long", "short"):
            raise ValueError(f"Nobody can hold {product} {side} here")
        held = {"side": side.upper(), "contracts": contracts, "entry": entry}
        gone = Decimal(contracts) == 0
        row = {"owner": name, "product": product, **held}
        self.ledger.put(("positions", f"{name}/{product}", None if gone else row))

    def set_price(self, product: str, price: str) -> None:
        """Let a product be worth something else."""
        if product not in PAIRS and product not in FUTURES:
            raise LookupError(product)
        self.ledger.put(("prices", product, plain(Decimal(price))))

    def reset_world(self, name: str) -> None:
        """Forget somebody's orders, fills and positions, as if they had never been."""
        gone = [
            (topic, key, None)
            for topic in ("orders", "fills", "positions")
            for key, row in self.ledger.topic(topic).items()
            if row["owner"] == name
        ]
        self.ledger.put(*gone)

    # -- figures

    def commit(self, draft: Draft) -> None:
        """Let a draft come true, and tell those who listen."""
        draft.write()
        for order in draft.changed:
            self.tell(order)

    def tell(self, order: Row) -> None:
        """Tell its owner's WebSockets what became of an order."""

    def holds(self) -> Counter[str]:
        """Return what open orders block of each account, in minor units."""
        found: Counter[str] = Counter()
        for order in self.ledger.topic("orders").values():
            if order["blocks"] and order["hold"] != "0":
                found[order["blocks"]] += int(order["hold"])
        return found

    def available(self, account: str) -> int:
        return self.ledger.balance(account) - self.holds()[account]

    def account_of(self, name: str, code: str) -> str:
        """Return where somebody holds a currency; raises LookupError."""
        for id in self.ledger.topic("people")[name]["accounts"]:
            holder = self.ledger.holders[id]
            if holder.asset == Asset(code, 18) and holder.facts["deleted"] is None:
                return str(id)
        raise LookupError(f"{name} has no account of {code}")

    def price_of(self, product: str) -> str:
        first = FUTURES[product][2] if product in FUTURES else PAIRS[product]
        return str(self.ledger.topic("prices").get(product, first))

    def _open(self, order: str) -> Row:
        known: Row = self.ledger.topic("orders")[order]
        if known["api"]["status"] not in LIVE:
            raise ValueError(f"That order is {known['api']['status'].lower()}")
        return known

    def _turn(self, order: str, status: str) -> None:
        draft = Draft(self.ledger)
        draft.turn(self._open(order), status)
        self.commit(draft)

    def _moment(self, when: str) -> datetime:
        return clock.parse(when) if when else self.clock.now()


def api(row: Any) -> Row:
    """Return a row as it is told."""
    found: Row = row["api"]
    return found
