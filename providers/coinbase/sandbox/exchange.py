"""The exchange itself: what its REST API tells. Source: docs.cdp.coinbase.com."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from providers.money import EXACT
from providers.sandbox import clock
from providers.sandbox.ledger import Holder
from providers.sandbox.wire import Answer, Asked

from . import errors
from .book import api
from .draft import plain
from .lists import chosen, newest_first, one, page, wish_of, within
from .portfolios import Portfolios
from .products import FUTURES, PAIRS, row

ROOT: Final = "/api/v3/brokerage"
ORDER_FIGURES: Final = ("status", "filled_size", "total_fees")
FILL_FIGURES: Final = ("price", "size", "commission")
FORGERIES: Final = [
    "changed signature",
    "for another path",
    "for no path",
    "used again",
]
ORDER_FILTERS: Final = {"order_ids": "order_id", "product_ids": "product_id"}
PRODUCT_FILTERS: Final = ("product_type", "product_ids", "get_all_products")
FILL_FILTERS: Final = {**ORDER_FILTERS, "trade_ids": "trade_id"}


class Coinbase(Portfolios):
    mounts = {"api": "", "stream": "/stream"}
    happenings = (
        "stir",
        "place_order",
        "fill_order",
        "end_order",
        "queue_order",
        "take_position",
        "set_price",
        "reset_world",
        "open_account",
        "close_account",
        "expire_key",
        "restore_key",
        "permit",
        "maintenance",
    )
    routes = {
        ("GET", f"{ROOT}/accounts"): "accounts",
        ("GET", f"{ROOT}/accounts/{{id}}"): "account",
        ("GET", f"{ROOT}/orders/historical/batch"): "orders",
        ("GET", f"{ROOT}/orders/historical/fills"): "fills",
        ("GET", f"{ROOT}/orders/historical/{{id}}"): "order",
        ("GET", f"{ROOT}/products"): "products",
        ("GET", f"{ROOT}/products/{{id}}"): "product",
        ("GET", f"{ROOT}/cfm/positions"): "positions",
        ("GET", f"{ROOT}/key_permissions"): "key_permissions",
    }

    def stir(self, name: str | None = None) -> None:
        """Let somebody buy a little bitcoin, or sell it again."""
        with self.lock:
            name, product = name or self.first_customer, "BTC-GBP"
            side = "sell" if len(self.ledger.topic("fills")) % 2 else "buy"
            price = self.price_of(product)
            order = self.place_order(name, product, side, "0.001", price)
            self.fill_order(order, maker=False)

    # -- accounts

    def accounts(self, asked: Asked) -> Answer:
        owner = self.person(asked)
        wish = wish_of(asked, ("limit", "cursor", "retail_portfolio_id"))
        ids = self.ledger.topic("people")[owner]["accounts"]
        found, left = page(ids, wish, usual=49, most=250)
        holds = self.holds()
        rows = [self._account(self.ledger.holders[id], holds[id]) for id in found]
        more = {"has_next": left > 0, "cursor": str(left) if left else ""}
        return Answer.of({"accounts": rows, **more, "size": len(rows)})

    def account(self, asked: Asked, id: str) -> Answer:
        owner = self.person(asked)
        if id not in self.ledger.topic("people")[owner]["accounts"]:
            raise errors.not_found("account")
        holder = self.ledger.holders[id]
        return Answer.of({"account": self._account(holder, self.holds()[id])})

    def _account(self, account: Holder, hold: int) -> dict[str, Any]:
        about, asset = account.facts, account.asset
        held = self.ledger.balance(account.id, self.seen())
        figures = {"available_balance": held - hold, "hold": hold}
        return {
            "uuid": account.id,
            "name": about["name"],
            "currency": asset.code,
            "default": about["default"],
            "active": about["active"],
            "created_at": clock.text(account.opened),
            "updated_at": clock.text(account.opened),
            "deleted_at": about["deleted"],
            "type": about["type"],
            "ready": True,
            "retail_portfolio_id": about["portfolio"],
            "platform": about["platform"],
            **{
                name: {"value": asset.major(amount), "currency": asset.code}
                for name, amount in figures.items()
            },
        }

    # -- orders

    def orders(self, asked: Asked) -> Answer:
        owner = self.person(asked)
        dates = ("start_date", "end_date")
        wish = wish_of(
            asked, (*ORDER_FILTERS, *dates, "order_status", "limit", "cursor")
        )
        states = set(wish.get("order_status", ()))
        if "OPEN" in states and len(states) > 1:
            words = "OPEN orders cannot be queried with other order types"
            raise errors.no("refused", words)
        found = [
            order
            for order in self._of(owner, "orders", "created_time")
            if within(wish, *dates, order["api"]["created_time"])
            and chosen(wish, "order_status", order["api"]["status"])
            and all(chosen(wish, n, order["api"][f]) for n, f in ORDER_FILTERS.items())
        ]
        rows, left = page(found, wish, usual=100, most=1000)
        more = {"has_next": left > 0, "cursor": str(left) if left else ""}
        return Answer.of({"orders": [api(r) for r in rows], "sequence": "0", **more})

    def order(self, asked: Asked, id: str) -> Answer:
        owner, order = self.person(asked), self.ledger.topic("orders").get(id)
        if order is None or order["owner"] != owner:
            raise errors.not_found("order with this orderID")
        return Answer.of({"order": api(order)})

    def fills(self, asked: Asked) -> Answer:
        owner = self.person(asked)
        dates = ("start_sequence_timestamp", "end_sequence_timestamp")
        wish = wish_of(asked, (*FILL_FILTERS, *dates, "limit", "cursor", "sort_by"))
        found = [
            fill
            for fill in self._of(owner, "fills", "sequence_timestamp")
            if within(wish, *dates, fill["api"]["sequence_timestamp"])
            and all(chosen(wish, n, fill["api"][f]) for n, f in FILL_FILTERS.items())
        ]
        rows, left = page(found, wish, usual=100, most=1000)
        # Whether there is more is not told: the page after the last one is empty.
        return Answer.of(
            {"fills": [api(r) for r in rows], "cursor": str(left) * bool(rows)}
        )

    def disputes(self, said: Mapping[str, Any]) -> list[str]:
        """Return where a client's tale parts from the books of the demo's customer."""
        owner = self.first_customer
        topics = {"orders": "created_time", "fills": "sequence_timestamp"}
        rows = {t: [api(r) for r in self._of(owner, t, m)] for t, m in topics.items()}
        wanted = {
            "orders": {
                r["order_id"]: [r[n] for n in ORDER_FIGURES] for r in rows["orders"]
            },
            "trades": {
                r["entry_id"]: [r[n] for n in FILL_FIGURES] for r in rows["fills"]
            },
            "refused": FORGERIES,
        }
        wrong = [
            f"{n} are {w}, not {said[n]}" for n, w in wanted.items() if said[n] != w
        ]
        if (opened := self._edwards()) != said["edwards"]:
            wrong.append(f"Ed25519 opens {opened}, not {said['edwards']}")
        states = {r["order_id"]: r["status"] for r in rows["orders"]}
        heard = {id: states.get(id) for id in said["heard"]}
        if not heard or heard != said["heard"]:
            wrong.append(f"the stream told {said['heard']}, not {heard}")
        return wrong

    def _edwards(self) -> dict[str, str]:
        """Return what those hold whose keys are no elliptic curve's of the usual kind."""
        people, keys = self.ledger.topic("people"), self.ledger.topic("keys")
        mine = [p for p in people.values() if keys[p["key"]]["algorithm"] == "EdDSA"]
        return {id: str(self.balance(id)) for p in mine for id in p["accounts"]}

    def _of(self, owner: str, topic: str, moment: str) -> list[dict[str, Any]]:
        rows = self.ledger.topic(topic).values()
        return newest_first([r for r in rows if r["owner"] == owner], moment)

    def positions(self, asked: Asked) -> Answer:
        owner = self.person(asked)
        held = self.ledger.topic("positions").values()
        return Answer.of(
            {"positions": [self._position(p) for p in held if p["owner"] == owner]}
        )

    def _position(self, held: dict[str, str]) -> dict[str, Any]:
        price, entry = Decimal(self.price_of(held["product"])), Decimal(held["entry"])
        size = Decimal(FUTURES[held["product"]][1]) * Decimal(held["contracts"])
        gain = EXACT.multiply(price - entry, size if held["side"] == "LONG" else -size)
        return {
            "product_id": held["product"],
            "expiration_time": "2027-12-24T16:00:00Z",
            "side": held["side"],
            "number_of_contracts": held["contracts"],
            "current_price": plain(price),
            "avg_entry_price": held["entry"],
            "unrealized_pnl": plain(gain),
            "daily_realized_pnl": "0",
        }

    # -- products

    def products(self, asked: Asked) -> Answer:
        self.person(asked)
        wish = wish_of(asked, PRODUCT_FILTERS)
        kind = one(wish, "product_type")
        names = [
            *(PAIRS if kind != "FUTURE" else ()),
            *(FUTURES if kind != "SPOT" else ()),
        ]
        found = [
            row(n, self.price_of(n)) for n in names if chosen(wish, "product_ids", n)
        ]
        return Answer.of({"products": found, "num_products": len(found)})

    def product(self, asked: Asked, id: str) -> Answer:
        self.person(asked)
        if id not in PAIRS and id not in FUTURES:
            raise errors.not_found("product")
        return Answer.of(row(id, self.price_of(id)))
