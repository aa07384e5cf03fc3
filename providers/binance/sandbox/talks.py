"""The WebSockets: the API of spot, and the private streams of futures.

Source: web-socket-api.md and user-data-stream.md; the futures' "User Data Streams".
"""

from __future__ import annotations

import json
from functools import partial
from secrets import token_hex
from typing import Any, Final

from providers.sandbox.sockets import Hear, Talk
from providers.sandbox.wire import Answer, Asked, Declined

from . import errors
from .holding import Row
from .keys import network_of
from .orders import changed_assets
from .reports import account_update, execution_report, order_trade_update
from .socket_api import SpotApi

PING_EVERY: Final = {"spot": 20.0, "futures": 180.0}  # seconds
PONG_WITHIN: Final = {"spot": 60.0, "futures": 600.0}
LONGEST: Final = 24 * 3600.0
LISTEN_KEY_LASTS: Final = 3600.0
CONNECTIONS: Final = 300  # in five minutes, from one address
WINDOW: Final = 300.0


class Talks(SpotApi):
    """The part of the exchange that pushes."""

    sockets = {
        f"{network}{path}": method
        for network in ("", "/testnet")
        for path, method in {
            "/ws-api/v3": "ws_api",
            "/fstream/{group}/stream": "ws_streams",
            "/fstream/{group}/ws": "ws_raw",
            "/fstream/{group}/ws/{key}": "ws_raw",
        }.items()
    }

    # -- connecting

    def ws_api(self, talk: Talk) -> Hear:
        self._admit(talk, "spot")
        talk.facts |= {"subscriptions": {}, "next": 0, "key": None}
        return partial(self.hear_api, talk)

    def ws_streams(self, talk: Talk, group: str) -> Hear:
        self._admit(talk, "futures")
        talk.facts |= {"group": group, "keys": set(), "wrapped": True}
        return partial(self.hear_streams, talk)

    def ws_raw(self, talk: Talk, group: str, key: str = "") -> Hear:
        found = key or talk.query.get("listenKey", "")
        self._admit(talk, "futures")
        keys = {found} if found else set()
        talk.facts |= {"group": group, "keys": keys, "wrapped": False}
        return partial(self.hear_streams, talk)

    def _admit(self, talk: Talk, segment: str) -> None:
        """Count a connection; raises Declined beyond the limit, or when closed."""
        if self.ledger.topic("maintenance").get(network_of(talk.path)):
            raise errors.named("maintenance")
        now = self.clock.timestamp()
        address = talk.headers.get("x-forwarded-for", "127.0.0.1")
        recent = [at for at in self.connected.get(address, []) if at > now - WINDOW]
        if len(recent) >= CONNECTIONS:
            raise Declined(429, errors.body(-1034, "Too many connection attempts."))
        self.connected[address] = [*recent, now]
        talk.facts |= {"segment": segment, "pinged": now, "shut_at": None}

    # -- the streams of futures

    def hear_streams(self, talk: Talk, text: str) -> None:
        try:
            asked = json.loads(text)
            id, method, params = asked["id"], asked["method"], asked["params"]
        except (ValueError, LookupError, TypeError):
            talk.say({"error": {"code": 3, "msg": "Invalid JSON"}})
            return
        if method == "SUBSCRIBE":
            talk.facts["keys"] |= set(params)
        elif method == "UNSUBSCRIBE":
            talk.facts["keys"] -= set(params)
        else:
            talk.say({"id": id, "error": {"code": 2, "msg": "Unknown method"}})
            return
        talk.say({"result": None, "id": id})

    def start_listening(self, asked: Asked) -> Answer:
        """Return the account's listen key. Source: "Start User Data Stream"."""
        account = self.identified(asked, "futures")
        key = self._listen_key(account) or token_hex(32)
        return self._listens(account, key)

    def keep_listening(self, asked: Asked) -> Answer:
        account = self.identified(asked, "futures")
        key = self._listen_key(account)
        if key is None:
            raise errors.no(-1125, "This listenKey does not exist.")
        return self._listens(account, key)

    def stop_listening(self, asked: Asked) -> Answer:
        account = self.identified(asked, "futures")
        self.ledger.put(("listening", account["id"], None))
        return Answer.of({})

    def _listens(self, account: Row, key: str) -> Answer:
        until = self.clock.timestamp() + LISTEN_KEY_LASTS
        self.ledger.put(("listening", account["id"], {"key": key, "until": until}))
        return Answer.of({"listenKey": key})

    def _listen_key(self, account: Row) -> str | None:
        known = self.ledger.topic("listening").get(account["id"])
        if known is None or known["until"] <= self.clock.timestamp():
            return None
        found: str = known["key"]
        return found

    # -- telling

    def news(self, account: Row, segment: str, event: Row) -> None:
        """Tell an event to everybody who listens to this account."""
        key = self._listen_key(account) if segment == "futures" else None
        for talk in self.talks:
            if talk.closed is not None or talk.facts["segment"] != segment:
                continue
            if segment == "spot":
                for number, whose in talk.facts["subscriptions"].items():
                    if whose == account["id"]:
                        talk.say({"subscriptionId": number, "event": event})
            elif key in talk.facts["keys"] and talk.facts["group"] == "private":
                wrapped = {"stream": key, "data": event}
                talk.say(wrapped if talk.facts["wrapped"] else event)

    def ordered(
        self, account: Row, order: Row, what: str, trade: Row | None = None
    ) -> None:
        now = self.milliseconds()
        if order["segment"] == "futures":
            told = order_trade_update(order, what, trade, now)
            self.news(account, "futures", told)
            self.tell_wallet(account, "ORDER", order if trade else None)
            return
        number = self.next_number("spot", order["symbol"], "reports")
        report = execution_report(order, what, trade, number, now)
        self.news(account, "spot", report)
        self.tell_balances(account, changed_assets(order, trade))

    def tell_wallet(self, account: Row, why: str, order: Row | None) -> None:
        """Tell what a wallet holds after a trade; an order alone changes no wallet."""
        if why == "ORDER" and order is None:
            return
        wallets = self.wallets(account)
        position = None
        if order is not None:
            symbol = order["symbol"]
            held = self.positions(account)[symbol]
            position = self.position_row(account, symbol, held)
        told = account_update(why, wallets, position, self.milliseconds())
        self.news(account, "futures", told)

    def moved_in(self, account: Row, holder: Any, change: Any) -> None:
        super().moved_in(account, holder, change)
        if holder.facts["segment"] == "futures" and change:
            self.tell_wallet(account, "DEPOSIT" if change > 0 else "WITHDRAW", None)

    # -- what is due

    def beat(self, talk: Talk, now: float) -> None:
        """Ping, and close what is too old, silent or about to be shut."""
        segment = talk.facts["segment"]
        shut_at = talk.facts["shut_at"]
        if now - talk.opened_at >= LONGEST or (shut_at and now >= shut_at):
            talk.close(1001)
            return
        waits = talk.facts.get("payload")
        if waits is not None and waits not in talk.pongs:
            if now - talk.facts["pinged"] > PONG_WITHIN[segment]:
                talk.close(1008)
        elif now - talk.facts["pinged"] >= PING_EVERY[segment]:
            talk.facts |= {"pinged": now, "payload": f"{now * 1000:.0f}".encode()}
            talk.ping(talk.facts["payload"])
        if segment == "futures":
            self._expire(talk, now)

    def _expire(self, talk: Talk, now: float) -> None:
        known = self.ledger.topic("listening").values()
        ended = {each["key"] for each in known if each["until"] <= now}
        for key in ended & talk.facts["keys"]:
            talk.facts["keys"].discard(key)
            told = {"e": "listenKeyExpired", "E": self.milliseconds(), "listenKey": key}
            talk.say({"stream": key, "data": told} if talk.facts["wrapped"] else told)

    # -- happenings

    def server_shutdown(self, seconds: float = 10.0) -> None:
        """Let the servers of spot say that they shut down, and do so a little later."""
        for talk in self.talks:
            if talk.facts["segment"] == "spot" and talk.closed is None:
                talk.say({"event": {"e": "serverShutdown", "E": self.milliseconds()}})
                talk.facts["shut_at"] = self.clock.timestamp() + seconds

    def end_subscriptions(self, name: str) -> None:
        """Let the subscriptions of somebody end."""
        account = self.account_of(name)
        for talk in self.talks:
            known = talk.facts.get("subscriptions", {})
            for number in [n for n, whose in known.items() if whose == account["id"]]:
                self.terminate(talk, number)

    def expire_listen_key(self, name: str) -> None:
        """Let somebody's listen key end now."""
        account = self.account_of(name)
        known = self.ledger.topic("listening").get(account["id"])
        if known is not None:
            ended = {**known, "until": self.clock.timestamp()}
            self.ledger.put(("listening", account["id"], ended))
