"""The exchange's WebSocket: heartbeats, and what becomes of orders. Never a balance."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final

from providers.sandbox import clock
from providers.sandbox.sockets import Talk
from providers.sandbox.wire import Declined

from .book import Book
from .draft import LIVE, Row, plain

PATIENCE: Final = 5.0  # seconds for the first subscription
BATCH: Final = 50  # orders of a snapshot that one frame tells
NAMES: Final = {"user": "user", "heartbeats": "heartbeats"}
COPIED: Final = (
    ("order_id", "order_id"),
    ("client_order_id", "client_order_id"),
    ("product_id", "product_id"),
    ("product_type", "product_type"),
    ("side", "order_side"),
    ("status", "status"),
    ("created_time", "creation_time"),
    ("average_filled_price", "avg_price"),
    ("filled_size", "cumulative_quantity"),
    ("filled_value", "filled_value"),
    ("number_of_fills", "number_of_fills"),
    ("outstanding_hold_amount", "outstanding_hold_amount"),
    ("total_fees", "total_fees"),
    ("total_value_after_fees", "total_value_after_fees"),
)


class Streaming(Book):
    """The part that speaks over WebSockets."""

    sockets = {"/stream": "listen"}

    def listen(self, talk: Talk) -> Callable[[str], None]:
        talk.facts.update(number=0, channels={}, beat=0, beat_at=None)
        return partial(self._heard, talk)

    def beat(self, talk: Talk, now: float) -> None:
        """Close who never subscribes; let the others hear that it is still there."""
        facts = talk.facts
        if not facts["channels"]:
            if now - talk.opened_at > PATIENCE:
                talk.close(1008)
        elif "heartbeats" in facts["channels"] and now >= (facts["beat_at"] or now):
            facts.update(beat=facts["beat"] + 1, beat_at=now + 1)
            told = {"current_time": str(self.clock.now())}
            self._say(talk, "heartbeats", told | {"heartbeat_counter": facts["beat"]})

    def tell(self, order: Row) -> None:
        for talk in self.talks:
            if talk.facts["channels"].get("user") == order["owner"]:
                self._orders(talk, "update", [order])

    def maintenance(self, on: bool = True) -> None:
        super().maintenance(on)
        for talk in self.talks if on else ():
            talk.close(1001)

    def _heard(self, talk: Talk, text: str) -> None:
        try:
            wish = json.loads(text)
            verb, channel = wish["type"], NAMES[wish["channel"]]
            token = wish.get("jwt", "")
        except (ValueError, LookupError, TypeError, AttributeError):
            return self._refuse(talk, "invalid message")
        if verb == "unsubscribe":
            talk.facts["channels"].pop(channel, None)
            return self._subscriptions(talk)
        if verb != "subscribe":
            return self._refuse(talk, "invalid type")
        try:
            # The heartbeats are everybody's, but a token that is shown must be good.
            owner = self.owner_of(token, None) if token or channel == "user" else ""
        except Declined:
            return self._refuse(talk, "authentication failure")
        talk.facts["channels"][channel] = owner
        self._subscriptions(talk)
        if channel == "user":
            self._snapshot(talk, owner)

    def _snapshot(self, talk: Talk, owner: str) -> None:
        """Tell the open orders, at least one frame of them."""
        known = self.ledger.topic("orders").values()
        mine = [o for o in known if o["owner"] == owner and o["api"]["status"] in LIVE]
        for start in range(0, len(mine) or 1, BATCH):
            self._orders(talk, "snapshot", mine[start : start + BATCH])

    def _orders(self, talk: Talk, kind: str, orders: list[Row]) -> None:
        none: dict[str, list[Row]] = {
            "perpetual_futures_positions": [],
            "expiring_futures_positions": [],
        }
        told = [_streamed(order) for order in orders]
        self._say(talk, "user", {"type": kind, "orders": told, "positions": none})

    def _subscriptions(self, talk: Talk) -> None:
        known = {
            name: [owner or name] for name, owner in talk.facts["channels"].items()
        }
        self._say(talk, "subscriptions", {"subscriptions": known})

    def _say(self, talk: Talk, channel: str, event: Row) -> None:
        number = talk.facts["number"]
        talk.facts["number"] = number + 1
        frame: dict[str, Any] = {"channel": channel, "client_id": ""}
        frame |= {"timestamp": clock.text(self.clock.now()), "sequence_num": number}
        talk.say({**frame, "events": [event]})

    def _refuse(self, talk: Talk, message: str) -> None:
        talk.say({"type": "error", "message": message})


def _streamed(order: Row) -> Row:
    """Return an order as the stream words it, which is not as the lists do."""
    api = order["api"]
    settings = next(iter(api["order_configuration"].values()))
    size = Decimal(settings.get("base_size") or api["filled_size"])
    return {
        **{name: api[own] for own, name in COPIED},
        "leaves_quantity": plain(size - Decimal(api["filled_size"])),
        "limit_price": settings.get("limit_price", ""),
        "order_type": api["order_type"].title(),
        "completion_percentage": api["completion_percentage"],
        "cancel_reason": api["cancel_message"],
        "reject_reason": "",
        "time_in_force": api["time_in_force"],
        "trigger_status": api["trigger_status"],
        "contract_expiry_type": "UNKNOWN_CONTRACT_EXPIRY_TYPE",
        "risk_managed_by": "UNKNOWN_RISK_MANAGEMENT_TYPE",
        "retail_portfolio_id": "",
        "post_only": str(settings.get("post_only", False)).lower(),
        "stop_price": "",
        "end_time": "0001-01-01T00:00:00Z",
        "start_time": "0001-01-01T00:00:00Z",
    }
