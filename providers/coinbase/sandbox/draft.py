"""Orders and fills as the exchange writes them down, and the money that moves with them.

A draft collects what is to happen; it is written to the books when it is complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from providers.money import EXACT, Asset
from providers.sandbox import clock
from providers.sandbox.ledger import OUTSIDE, Entry, Ledger

from .products import MAKER, TAKER

Row = dict[str, Any]
# Those beside OPEN are on their way to or from it, and block what an open one does.
LIVE = frozenset({"OPEN", "PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED"})
STEP = Decimal(1).scaleb(-18)


def plain(value: Decimal) -> str:
    """Return a number without an exponent and without zeros at its end."""
    return f"{value.normalize(EXACT):f}"


def fee_of(cost: Decimal, rate: Decimal) -> Decimal:
    return EXACT.multiply(cost, rate).quantize(STEP, ROUND_UP)


class Draft:
    """What is to be written: facts, movements, and the orders that changed, in order."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.facts: dict[tuple[str, str], Any] = {}
        self.entries: list[Entry] = []
        self.changed: list[Row] = []
        self.new: Counter[str] = Counter()

    def write(self) -> None:
        if self.entries:
            self.ledger.move(*self.entries)
        self.ledger.put(*((*key, value) for key, value in self.facts.items()))

    def put(self, topic: str, key: str, value: Any) -> None:
        known = (topic, key) in self.facts or key in self.ledger.topic(topic)
        self.new[topic] += not known
        self.facts[topic, key] = value

    def number(self, topic: str) -> int:
        """Return which one of its kind the next one is."""
        return len(self.ledger.topic(topic)) + self.new[topic] + 1

    def move(self, account: str, amount: int, moment: datetime, **about: Any) -> None:
        """Let `amount` minor units come in, or go out where it is below zero."""
        ends = (OUTSIDE, account) if amount > 0 else (account, OUTSIDE)
        number = len(self.ledger.entries) + len(self.entries) + 1
        if amount:
            id = f"tx_{number:016d}"
            self.entries.append(Entry(id, *ends, abs(amount), moment, facts=about))

    def keep(self, order: Row) -> Row:
        self.put("orders", order["api"]["order_id"], order)
        self.changed.append(order)
        return order

    # -- what happens to orders

    def place(
        self, owner: str, accounts: Mapping[str, str], moment: datetime, wish: Row
    ) -> Row:
        """Return a new order: `product`, `side`, `size` or `quote_size`, maybe a `price`."""
        number = self.number("orders")
        market = wish.get("price") is None
        settings = {
            k: v
            for k, v in wish.items()
            if k in ("size", "quote_size") and v is not None
        }
        if "size" in settings:
            settings["base_size"] = settings.pop("size")
        if not market:
            settings |= {"limit_price": wish["price"], "post_only": False}
        api = {
            "order_id": str(uuid5(NAMESPACE_URL, f"order/{number}")),
            "product_id": wish["product"],
            "user_id": str(uuid5(NAMESPACE_URL, f"user/{owner}")),
            "order_configuration": {
                "market_market_ioc" if market else "limit_limit_gtc": settings
            },
            "side": wish["side"].upper(),
            "client_order_id": wish.get("client_id") or f"client-{number}",
            "status": "OPEN",
            "created_time": clock.text(moment),
            "product_type": wish.get("type", "SPOT"),
            "order_type": "MARKET" if market else "LIMIT",
            "time_in_force": "IMMEDIATE_OR_CANCEL"
            if market
            else "GOOD_UNTIL_CANCELLED",
            "size_in_quote": "quote_size" in settings,
            **_unfilled(),
        }
        paid_in = wish["product"].split("-")[1 if api["side"] == "BUY" else 0]
        order = {
            "owner": owner,
            "accounts": dict(accounts),
            "number": number,
            "fills": 0,
            "left": settings.get("base_size"),
            "blocks": accounts.get(paid_in, ""),
            "hold": "0",
            "api": api,
        }
        return self.keep(_held(order))

    def fill(
        self,
        order: Row,
        size: Decimal,
        price: Decimal,
        moment: datetime,
        *,
        maker: bool,
        last: bool,
    ) -> tuple[Row, str]:
        """Return an order after a fill of `size`, and the fill's id; `last` ends it."""
        api = dict(order["api"])
        cost = EXACT.multiply(size, price)
        fee = fee_of(cost, MAKER if maker else TAKER)
        number = self.number("fills")
        entry_id = uuid5(NAMESPACE_URL, f"fill/{number}").hex * 2
        in_quote = api["size_in_quote"]
        fill = {
            "entry_id": entry_id,
            "trade_id": str(uuid5(NAMESPACE_URL, f"trade/{number}")),
            "order_id": api["order_id"],
            "trade_time": clock.text(moment),
            "trade_type": "FILL",
            "price": plain(price),
            "size": plain(cost if in_quote else size),
            "commission": plain(fee),
            "product_id": api["product_id"],
            "sequence_timestamp": clock.text(moment),
            "liquidity_indicator": "MAKER" if maker else "TAKER",
            "size_in_quote": in_quote,
            "user_id": api["user_id"],
            "side": api["side"],
            "retail_portfolio_id": "",
        }
        record = {"owner": order["owner"], "number": number, "api": fill}
        self.put("fills", entry_id, record)
        self._pay(order, size, cost, fee, moment)
        api |= _after(api, size, cost, fee, clock.text(moment))
        left = order["left"] and plain(EXACT.subtract(Decimal(order["left"]), size))
        if last or left == "0":
            api |= {"status": "FILLED", "completion_percentage": "100", "settled": True}
        changed = {**order, "left": left, "fills": order["fills"] + 1, "api": api}
        return self.keep(_held(changed)), entry_id

    def turn(self, order: Row, status: str) -> Row:
        """Return an order in another state, which may be its end."""
        words = "" if status in LIVE else status.title()
        api = {**order["api"], "status": status, "cancel_message": words}
        return self.keep(_held({**order, "api": api}))

    def _pay(
        self, order: Row, size: Decimal, cost: Decimal, fee: Decimal, moment: datetime
    ) -> None:
        if order["api"]["product_type"] != "SPOT":
            return  # a future's margin is no payment
        base, quote = order["api"]["product_id"].split("-")
        buys = order["api"]["side"] == "BUY"
        paid = EXACT.subtract(-cost if buys else cost, fee)
        for code, amount in ((base, size if buys else -size), (quote, paid)):
            minor = Asset(code, 18).minor(amount)
            self.move(order["accounts"][code], minor, moment, order=order["number"])


def _unfilled() -> Row:
    return {
        "completion_percentage": "0",
        "filled_size": "0",
        "average_filled_price": "0",
        "fee": "",
        "number_of_fills": "0",
        "filled_value": "0",
        "pending_cancel": False,
        "total_fees": "0",
        "size_inclusive_of_fees": False,
        "total_value_after_fees": "0",
        "trigger_status": "INVALID_ORDER_TYPE",
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "settled": False,
        "reject_message": "",
        "cancel_message": "",
        "order_placement_source": "RETAIL_ADVANCED",
        "outstanding_hold_amount": "0",
        "is_liquidation": False,
        "last_fill_time": None,
        "edit_history": [],
        "leverage": "",
        "margin_type": "UNKNOWN_MARGIN_TYPE",
        "retail_portfolio_id": "",
    }


def _after(api: Row, size: Decimal, cost: Decimal, fee: Decimal, when: str) -> Row:
    """Return what a fill changes of an order's figures."""
    figures = {"filled_size": size, "filled_value": cost, "total_fees": fee}
    filled, value, fees = (EXACT.add(Decimal(api[n]), v) for n, v in figures.items())
    paid = fees if api["side"] == "BUY" else -fees
    return {
        "filled_size": plain(filled),
        "filled_value": plain(value),
        "average_filled_price": plain(value / filled),
        "total_fees": plain(fees),
        "total_value_after_fees": plain(EXACT.add(value, paid)),
        "number_of_fills": str(int(api["number_of_fills"]) + 1),
        "last_fill_time": when,
    }


def _held(order: Row) -> Row:
    """Return an order that blocks what its rest may cost, in minor units of that account."""
    api, hold = order["api"], Decimal(0)
    price = next(iter(api["order_configuration"].values())).get("limit_price")
    if api["status"] in LIVE and price and api["product_type"] == "SPOT":
        left = Decimal(order["left"])
        cost = EXACT.multiply(left, Decimal(price))
        hold = EXACT.add(cost, fee_of(cost, TAKER)) if api["side"] == "BUY" else left
    api = {**api, "outstanding_hold_amount": plain(hold)}
    return {**order, "hold": str(Asset("X", 18).minor(hold)), "api": api}
