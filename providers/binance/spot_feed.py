"""The stream of spot: subscribed over the WebSocket API. Source: user-data-stream.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from providers.base import Reading
from providers.errors import RateLimited, UnexpectedResponse
from providers.fields import text
from providers.streaming import Action, Ask, Hang, Say, Told, Traded
from providers.trading import Order, Trade
from providers.wire import Call

from .answers import (
    LATEST,
    Snapshot,
    code_of,
    moment,
    natural,
    rows_of,
    spot_reading,
)
from .following import BALANCES, MARKETS, Following
from .refusals import CLOCK_OFF, TOO_MUCH, meaning
from .reports import order_told, touched, trade_told
from .rows import decimal
from .signing import socket_payload
from .speaking import SPOT
from .trading import Trading

LOG_ON: Final = "log-on"
SUBSCRIBE: Final = "subscribe"
CLOCK: Final = "clock"
NAMES: Final = ("a", "f", "l")  # of asset, free and locked in an event
# So much later, an answer holds what an event has told: "some delay is normal".
LAG: Final = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Known:
    """A balance as of one of their milliseconds, and when it was heard."""

    as_of: int
    reading: Reading
    heard: datetime


class SpotFeed(Following):
    """Absolute balances by asset; what comes as a difference is only a reason to expect one."""

    grace = timedelta(seconds=2)
    pause = timedelta(seconds=5)

    def __init__(self, provider: Trading) -> None:
        super().__init__(provider, SPOT)
        self.owner = ""
        self._read = 0  # the moment as of which all was read, in their milliseconds
        self._newest: dict[str, Known] = {}  # by code
        self._reports: dict[str, int] = {}  # by order: the newest report's id
        self._compared = False

    def opening(self) -> Call[str]:
        """Connect as anybody may: who asks is said on the line."""
        yield from ()
        return ""

    def opened(self, now: datetime) -> Iterable[Action]:
        """Subscribe: in a session of its own with Ed25519, else by a signature."""
        self._began = now
        if self.provider.signer.may_log_on:
            return [self._say(LOG_ON, "session.logon", self._signed(now))]
        method = "userDataStream.subscribe.signature"
        return [self._say(SUBSCRIBE, method, self._signed(now))]

    def heard(self, text: str, now: datetime) -> Iterable[Action]:
        """Return what an answer or an event means."""
        told = self.frame(text)
        if "event" in told:
            return self._event(told["event"], now)
        if told.get("id") in (LOG_ON, SUBSCRIBE):
            return self._answer(told, now)
        raise UnexpectedResponse("This frame is neither an answer nor an event")

    def answered(self, about: str, result: Any, now: datetime) -> Iterable[Action]:
        if about == MARKETS:
            self.markets = result
        elif about == CLOCK:
            return self.opened(now)
        elif about == BALANCES:
            return [self._whole(result, now)]
        return []

    # -- subscribing

    def _signed(self, now: datetime) -> dict[str, str | int]:
        key = self.provider.credentials.get("api_key", "")
        params: dict[str, str | int] = {
            "apiKey": key,
            "timestamp": self.provider.stamp(now),
        }
        proof = self.provider.signer.sign(socket_payload(params))
        return {**params, "signature": proof}

    def _say(self, id: str, method: str, params: Mapping[str, Any]) -> Say:
        said = {"id": id, "method": method, "params": params}
        return Say(json.dumps(said if params else {"id": id, "method": method}))

    def _answer(self, told: Mapping[str, Any], now: datetime) -> Iterable[Action]:
        if told.get("status") != 200:
            return self._refused(told, now)
        if told["id"] == LOG_ON:
            return [self._say(SUBSCRIBE, "userDataStream.subscribe", {})]
        self.subscribed = True
        return [self.look(now)]

    def _refused(self, told: Mapping[str, Any], now: datetime) -> Iterable[Action]:
        error = told.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        if code == CLOCK_OFF and not self._compared:
            self._compared = True
            return [Ask(self.provider.compare_clocks(SPOT), CLOCK)]
        status = told.get("status")
        words = f"{self.provider.name} answered {status} on the stream: {code}"
        if status in (418, 429) or code in TOO_MUCH:
            raise RateLimited(words, retry_after=_wait(error, now))
        raise meaning(code)(words)

    # -- balances

    def _whole(self, told: Snapshot, now: datetime) -> Told:
        """Return all balances: an event of just now stands, if the answer is older.

        It is looked for again soon: perhaps not every change counts as one to them.
        """
        self.owner, self._read = told.owner, told.changed
        self.caught_up()
        found = {r.asset.code: Known(told.changed, r, now) for r in told.readings}
        for code, known in self._newest.items():
            if known.as_of > told.changed and now - known.heard < LAG:
                found[code] = known
                self.owe([code], known.as_of + 1, now)
        self._newest = found
        return Told([known.reading for known in found.values()], whole=True)

    def _event(self, event: Any, now: datetime) -> Iterable[Action]:
        sense = self.provider.sensible
        match sense(self.where, lambda: text(event["e"])):
            case "outboundAccountPosition":
                return sense(self.where, lambda: self._position(event, now))
            case "balanceUpdate" | "externalLockUpdate":
                sense(self.where, lambda: self._changed(event, now))
            case "executionReport":
                return self._report(event, now)
            case "eventStreamTerminated":
                return [Hang("They ended the subscription")]
            case "serverShutdown":
                return [Hang("Their server shuts down")]
        return []

    def _changed(self, event: Any, now: datetime) -> None:
        """Expect a balance: this event has a difference, which is never added."""
        decimal(event["d"])
        self._expect([code_of(event["a"])], natural(event["T"], LATEST), now)

    def _expect(self, codes: Iterable[str], happened: int, now: datetime) -> None:
        known = (code for code in codes if self._as_of(code) < happened)
        self.owe(known, happened, now)

    def _as_of(self, code: str) -> int:
        return self._newest[code].as_of if code in self._newest else self._read

    def _position(self, event: Any, now: datetime) -> Iterable[Action]:
        """Tell the balances that are newer than what is known."""
        as_of = natural(event["u"], LATEST)
        rows = [
            spot_reading(self.owner, r, NAMES, moment(as_of))
            for r in rows_of(event["B"])
        ]
        if not self.owner:
            return []  # all is about to be read
        told = []
        for reading in rows:
            code = reading.asset.code
            # Of two changes in one millisecond, the one that is told later is the last.
            if as_of >= self._as_of(code):
                self._newest[code] = Known(as_of, reading, now)
                self.paid(code, as_of)
                told.append(reading)
        return [Told(told)] if told else []

    # -- orders and trades

    def _report(self, event: Any, now: datetime) -> Iterator[Action]:
        sense, where = self.provider.sensible, self.where
        yield from self.known(sense(where, lambda: text(event["s"])))
        orders, trades = sense(where, lambda: self._traded(event, now))
        if orders or trades:
            yield Traded(orders, trades)

    def _traded(self, event: Any, now: datetime) -> tuple[list[Order], list[Trade]]:
        market = self.markets[event["s"]]
        order, number = order_told(event, market), natural(event["I"])
        newest = self._reports.get(key := f"{market.name}:{order.external_id}", -1)
        trades = [trade_told(event, market)] if event["x"] == "TRADE" else []
        self._expect(touched(event, market), natural(event["T"], LATEST), now)
        if number <= newest:
            return [], trades if number < newest else []
        self._reports[key] = number
        return [order], trades


def _wait(error: Any, now: datetime) -> float | None:
    """Return the seconds until `retryAfter`. Source: web-socket-api.md, "IP limits"."""
    data = error.get("data") if isinstance(error, dict) else None
    until = data.get("retryAfter") if isinstance(data, dict) else None
    if type(until) is not int or not 0 <= until <= LATEST:
        return None
    return max(0.0, (moment(until) - now.astimezone(UTC)).total_seconds())
