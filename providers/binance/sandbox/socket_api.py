"""Requests on a WebSocket: sessions, subscriptions. Source: web-socket-api.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from providers.binance.signing import socket_payload
from providers.sandbox.clock import Clock
from providers.sandbox.sockets import Talk
from providers.sandbox.wire import Answer, Declined

from . import errors
from .conditional import Conditional
from .holding import Row
from .keys import network_of, verified
from .markets import RATE_LIMITS, WEIGHT_LIMITS
from .meter import Meter


class TurnedAway(Declined):
    """A request beyond the limits, which is told when to come back."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status, {})
        self.answer = answer


class SpotApi(Conditional):
    """The part of the exchange that answers requests on a WebSocket."""

    def __init__(self, path: Path | None = None, clock: Clock | None = None) -> None:
        super().__init__(path, clock)
        self.meter = Meter()
        self.connected: dict[str, list[float]] = {}  # by address: when

    def reset(self) -> None:
        super().reset()
        self.meter, self.connected = Meter(), {}
        for talk in self.talks:
            talk.close(1012)

    def weigh(
        self, headers: Mapping[str, str], network: str, segment: str, weight: int
    ) -> tuple[Answer | None, int]:
        """Return why a request is turned away, if it is, and the weight that is spent."""
        who = headers.get("x-forwarded-for", "127.0.0.1"), network, segment
        limit = WEIGHT_LIMITS[segment]
        return self.meter.spend(who, weight, limit, self.clock.timestamp())

    def hear_api(self, talk: Talk, text: str) -> None:
        """Answer one request of the WebSocket API."""
        try:
            asked = json.loads(text)
            id, method, params = asked["id"], asked["method"], asked.get("params", {})
        except (ValueError, LookupError, TypeError):
            told = errors.no(-1135, "Invalid JSON Request").answer
            talk.say({"id": None, "status": 400, "error": json.loads(told.body)})
            return
        try:
            said = {"id": id, "status": 200, "result": self._api(talk, method, params)}
        except Declined as declined:
            said = {"id": id, **_error_of(declined.answer, self.milliseconds())}
        limits = talk.query.get("returnRateLimits", "true") != "false"
        if limits and params.get("returnRateLimits", True):
            said["rateLimits"] = [{**RATE_LIMITS["spot"][0], "count": self.used(talk)}]
        talk.say(said)

    def used(self, talk: Talk) -> int:
        """Return the weight that is spent, once this request is."""
        return self.weigh(talk.headers, network_of(talk.path), "spot", 0)[1]

    def _api(self, talk: Talk, method: str, params: Mapping[str, Any]) -> Any:
        refused, _ = self.weigh(talk.headers, network_of(talk.path), "spot", 2)
        if refused is not None:
            raise TurnedAway(refused)
        verbs: dict[str, Callable[[], Any]] = {
            "ping": lambda: {},
            "time": lambda: {"serverTime": self.milliseconds()},
            "session.logon": lambda: self._log_on(talk, params),
            "session.status": lambda: self._session(talk),
            "session.logout": lambda: self._log_out(talk),
            "session.subscriptions": lambda: [
                {"subscriptionId": n} for n in talk.facts["subscriptions"]
            ],
            "userDataStream.subscribe": lambda: self._subscribe_session(talk),
            "userDataStream.subscribe.signature": lambda: self._subscribe(
                talk, self._signed(talk, params)["id"]
            ),
            "userDataStream.unsubscribe": lambda: self._unsubscribe(talk, params),
        }
        if method.removeprefix("v3/") not in verbs:
            raise errors.no(-1020, "This operation is not supported.")
        return verbs[method.removeprefix("v3/")]()

    def _signed(self, talk: Talk, params: Mapping[str, Any]) -> Row:
        """Return the account whose key has signed `params`; raises Declined."""
        name, told = params.get("apiKey"), params.get("signature")
        if not isinstance(name, str) or not isinstance(told, str):
            raise errors.malformed(
                "apiKey" if not isinstance(name, str) else "signature"
            )
        account = self._entitled(name, network_of(talk.path), "reading")
        self._timely({k: f"{v}" for k, v in params.items()})
        signed = {k: v for k, v in params.items() if k != "signature"}
        if not verified(self.ledger.topic("keys")[name], socket_payload(signed), told):
            raise errors.named("bad_signature")
        return account

    def _log_on(self, talk: Talk, params: Mapping[str, Any]) -> Row:
        self._signed(talk, params)
        if not self.ledger.topic("keys")[params["apiKey"]]["public"]:
            raise errors.no(-4056, "HMAC_SHA256 API key is not supported.")  # (?)
        talk.facts |= {"key": params["apiKey"], "since": self.milliseconds()}
        return self._session(talk)

    def _session(self, talk: Talk) -> Row:
        return {
            "apiKey": talk.facts["key"],
            "authorizedSince": talk.facts.get("since"),
            "connectedSince": int(talk.opened_at * 1000),
            "returnRateLimits": True,
            "serverTime": self.milliseconds(),
            "userDataStream": bool(talk.facts["subscriptions"]),
        }

    def _log_out(self, talk: Talk) -> Row:
        talk.facts["key"] = None
        number = talk.facts.pop("by_session", None)
        if number is not None:
            self.terminate(talk, number)
        return self._session(talk)

    def _subscribe_session(self, talk: Talk) -> Row:
        if talk.facts["key"] is None:
            raise errors.named("authentication_failed")
        key = self.ledger.topic("keys").get(talk.facts["key"])
        if key is None:
            raise errors.named("authentication_failed")
        told = self._subscribe(talk, key["account"])
        talk.facts["by_session"] = told["subscriptionId"]
        return told

    def _subscribe(self, talk: Talk, account: str) -> Row:
        if account in talk.facts["subscriptions"].values():
            raise errors.no(-2035, "User Data Stream subscription already active.")
        number = talk.facts["next"]
        talk.facts["subscriptions"][number] = account
        talk.facts["next"] = number + 1
        return {"subscriptionId": number}

    def _unsubscribe(self, talk: Talk, params: Mapping[str, Any]) -> Row:
        known = talk.facts["subscriptions"]
        wanted = params.get("subscriptionId")
        gone = list(known) if wanted is None else [wanted]
        if not gone or not set(gone) <= set(known):
            raise errors.no(-2036, "User Data Stream subscription not active.")
        for number in gone:
            self.terminate(talk, number)
        return {}

    def terminate(self, talk: Talk, number: int) -> None:
        talk.facts["subscriptions"].pop(number, None)
        event = {"e": "eventStreamTerminated", "E": self.milliseconds()}
        talk.say({"subscriptionId": number, "event": event})


def _error_of(answer: Answer, now: int) -> Row:
    """Return a refusal as the WebSocket API words it: when to come back is a moment."""
    error = json.loads(answer.body)
    wait = answer.headers.get("Retry-After")
    if wait is not None:
        until = now + int(wait) * 1000
        error["data"] = {"serverTime": now, "retryAfter": until}
    return {"status": answer.status, "error": error}
