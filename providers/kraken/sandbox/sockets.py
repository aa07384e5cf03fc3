"""The private WebSocket: tokens, subscriptions, snapshots and heartbeats."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from providers.sandbox.clock import Clock
from providers.sandbox.sockets import Talk
from providers.sandbox.wire import Answer, Asked

from .door import iso, only
from .reports import Reports
from .wallets import snapshot_rows
from .words import fine, written

EXPIRES: Final = 900  # seconds in which a token must be used
HEARTBEAT: Final = 1.0  # seconds without anything else
# A connection nobody subscribes on is closed; how soon is not documented (?).
IDLE: Final = 60.0
# Larger than any whole number a double can hold.
FIRST_CONNECTION: Final = 6_447_481_662_169_813_000
CHANNELS: Final = {
    "balances": {"snapshot", "users", "rebased"},
    "executions": {
        *("snap_trades", "snap_orders", "order_status", "ratecounter"),
        *("snapshot", "users", "rebased"),
    },
}
FILLS: Final = 50  # in a snapshot
Body = dict[str, Any]


class Unsubscribable(Exception):
    """A wish that a socket answers with an error."""


class Sockets(Reports):
    """The part of the exchange that pushes."""

    sockets = {"/v2": "private_socket"}

    def __init__(self, path: Path | None = None, clock: Clock | None = None) -> None:
        super().__init__(path, clock)
        self.tokens: dict[str, tuple[str, float]] = {}
        self.connections = 0

    def reset(self) -> None:
        super().reset()
        self.tokens.clear()

    def websockets_token(self, asked: Asked) -> Answer:
        name, fields = self.enter_as(asked, ["access-ws"], 1)
        only(fields)
        number = f"{name} {len(self.tokens)} {self.moment()}"
        token = b64encode(sha256(number.encode()).digest()).decode()
        self.tokens[token] = (name, self.clock.timestamp())
        return fine({"token": token, "expires": EXPIRES})

    def private_socket(self, talk: Talk) -> Callable[[str], None]:
        self.connections += 1
        talk.facts |= {"id": FIRST_CONNECTION + self.connections, "told": {}}
        self._say(talk, self._status(talk))
        return partial(self._hear, talk)

    def maintain(self, mode: str = "maintenance") -> None:
        """Let the system be `online`, in `maintenance`, `cancel_only` or `post_only`."""
        if mode not in ("online", "maintenance", "cancel_only", "post_only"):
            raise ValueError(f"{mode!r} is no mode")
        self.ledger.put(("system", "mode", mode))
        for talk in self.talks:
            self._say(talk, self._status(talk))

    def beat(self, talk: Talk, now: float) -> None:
        """Say that the line is alive, or close one that nobody uses."""
        if talk.facts["told"]:
            if now - talk.facts["spoke"] >= HEARTBEAT:
                self._say(talk, {"channel": "heartbeat"})
        elif now - talk.opened_at > IDLE:
            talk.close(1000)

    def expire_tokens(self) -> None:
        """Let every token that is not in use be too old."""
        self.tokens = {token: (name, 0.0) for token, (name, _) in self.tokens.items()}

    # -- talking

    def _say(self, talk: Talk, body: Any) -> None:
        talk.facts["spoke"] = self.clock.timestamp()
        talk.say(written(body))

    def _status(self, talk: Talk) -> Body:
        about = {
            "version": "2.0.10",
            "system": self.mode(),
            "api_version": "v2",
            "connection_id": talk.facts["id"],
        }
        return {"channel": "status", "type": "update", "data": [about]}

    def _hear(self, talk: Talk, text: str) -> None:
        heard = iso(self.moment())
        try:
            wish = json.loads(text)
            method = wish["method"]
        except (ValueError, LookupError, TypeError):
            return self._say(talk, {"error": "Malformed request", "success": False})
        told: Body = {"method": method, "time_in": heard}
        if "req_id" in wish:
            told["req_id"] = wish["req_id"]
        if method == "ping":
            return self._say(talk, {**told, "method": "pong", "time_out": heard})
        try:
            result, after = self._obey(talk, method, wish.get("params", {}))
        except Unsubscribable as no:
            told |= {"error": str(no), "success": False, "time_out": heard}
            return self._say(talk, told)
        self._say(talk, {**told, "result": result, "success": True, "time_out": heard})
        return after()

    def _obey(
        self, talk: Talk, method: str, params: Body
    ) -> tuple[Body, Callable[[], None]]:
        channel = params.get("channel")
        if method not in ("subscribe", "unsubscribe") or channel not in CHANNELS:
            raise Unsubscribable("Unsupported channel or method")
        if unknown := params.keys() - CHANNELS[channel] - {"channel", "token"}:
            raise Unsubscribable(f"Unknown field: {min(unknown)}")
        name = self._session(talk, params.get("token"))
        if method == "unsubscribe":
            if talk.facts["told"].pop(channel, None) is None:
                raise Unsubscribable("Subscription not found")
            return {"channel": channel}, lambda: None
        if channel in talk.facts["told"]:
            raise Unsubscribable("Already subscribed")
        return self._subscribed_to(talk, name, params)

    def _session(self, talk: Talk, token: Any) -> str:
        """Return whose token this is: a new one, or one that is in use on this line."""
        name, made = self.tokens.get(token, ("", 0.0))
        in_use = any(told["token"] == token for told in talk.facts["told"].values())
        fresh = self.clock.timestamp() - made <= EXPIRES
        if not name or not (fresh or in_use):
            raise Unsubscribable("ESession:Invalid session")
        if self.ledger.topic("people").get(name, {}).get("revoked", True):
            raise Unsubscribable("ESession:Invalid session")
        return name

    def _subscribed_to(
        self, talk: Talk, name: str, params: Body
    ) -> tuple[Body, Callable[[], None]]:
        channel = params["channel"]
        needed = "query-funds" if channel == "balances" else "query-open-trades"
        if needed not in self.ledger.topic("people")[name]["permissions"]:
            raise Unsubscribable("EGeneral:Permission denied")
        token = params["token"]
        told = {"name": name, "sequence": 0, "token": token}
        talk.facts["told"][channel] = told
        result = {k: v for k, v in params.items() if k != "token"}
        if channel == "executions":
            result |= {"maxratecount": 60}
        elif not params.get("snapshot", True):
            return result, lambda: None
        rows = self._rows(name, params)
        return result, lambda: self._snapshot(talk, channel, told, rows)

    def _rows(self, name: str, params: Body) -> list[Body]:
        if params["channel"] == "balances":
            held = [(h, self.ledger.balance(h.id)) for h in self.accounts(name)]
            return snapshot_rows(held)
        orders = [(id, o) for id, o in self.orders_of(name) if o["status"] == "open"]
        rows: list[Body] = []
        if params.get("snap_orders", True):
            new = {"exec_type": "new"}
            rows = [{"order_id": i, **self.order_row(o), **new} for i, o in orders]
        return rows + (self._fills(name) if params.get("snap_trades") else [])

    def _fills(self, name: str) -> list[Body]:
        mine = [
            (id, trade)
            for id, trade in self.ledger.topic("trades").items()
            if trade["owner"] == name
        ]
        mine.sort(key=lambda found: Decimal(found[1]["time"]))
        return [self.fill_row(id) for id, _ in mine[-FILLS:]]

    def _snapshot(self, talk: Talk, channel: str, told: Body, rows: list[Body]) -> None:
        told["sequence"] = 1
        frame = {"channel": channel, "type": "snapshot", "data": rows, "sequence": 1}
        self._say(talk, frame)
