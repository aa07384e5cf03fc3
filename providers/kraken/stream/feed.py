"""One connection to Kraken's private WebSocket, from its token to its end.

Source: docs, "Spot WebSocket v2": "Balances", "Executions", "Status", "Heartbeat".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from providers.base import Observation
from providers.errors import FAULTS, UnexpectedResponse, words_of
from providers.streaming import (
    Action,
    Ask,
    Feed,
    Hang,
    Look,
    Note,
    Say,
    Told,
    Traded,
)
from providers.trading import Market, Order, Sought
from providers.wire import Call, parse_json

from ..replies import named, text_of
from ..trading import Trading
from .channel import PATIENCE, Channel, Heard
from .executions import Reports, market_and_side, moment
from .holds import Holds
from .purse import Purse

BALANCES: Final = "balances"
EXECUTIONS: Final = "executions"
SETTLES: Final = timedelta(seconds=0.3)  # the frames of one change come together
# A look is two calls, and the counter of the lowest tier sinks by two in six seconds.
BETWEEN_LOOKS: Final = timedelta(seconds=6)
HALVES_MEET: Final = timedelta(seconds=2)
# What is worked out of holds is compared with REST so often, if anything was.
PROVED_EVERY: Final = timedelta(seconds=60)
NOWHERE: Final = Market("", "", "")  # Kraken finds an order by its id alone
Frame = Mapping[str, Any]


class KrakenFeed(Feed):
    """Follows all balances, orders and trades of one API key."""

    silence = 5.0  # seconds; a heartbeat comes every second
    heartbeats = True

    def __init__(self, provider: Trading, reports: Reports) -> None:
        """Begin; `reports` are the orders that an earlier connection left open."""
        self._provider, self._token = provider, ""
        self._balances = Channel(BALANCES, {"snapshot": True})
        self._executions = Channel(
            EXECUTIONS,
            {"snap_orders": True, "snap_trades": False, "order_status": True},
        )
        self._reports = reports
        self._purse = Purse(Holds(reports.rows))
        self._online, self._known = True, False
        self._doubted_at: datetime | None = None
        self._looked_at: datetime | None = None
        # The ping whose answer comes after every frame that REST may know already.
        self._pings = 0
        self._pinged_at: datetime | None = None
        self._reads: Mapping[
            tuple[str, Heard], Callable[[Any, datetime], list[Action]]
        ] = {
            (BALANCES, Heard.SNAPSHOT): self._all_balances,
            (BALANCES, Heard.UPDATE): self._balances_after,
            (EXECUTIONS, Heard.SNAPSHOT): self._all_orders,
            (EXECUTIONS, Heard.UPDATE): self._orders_after,
        }

    @property
    def live(self) -> bool:
        whole = self._balances.whole and self._executions.whole
        return whole and self._known and self._online

    def opening(self) -> Call[str]:
        """Ask for a token, which has to be used within 15 minutes."""
        asked = self._provider.private("GetWebSocketsToken")
        self._token = yield from self._provider.ask(asked, _token)
        return "/v2"

    def opened(self, now: datetime) -> list[Action]:
        return [
            *self._subscribe(self._balances, now),
            *self._subscribe(self._executions, now),
        ]

    def heard(self, text: str, now: datetime) -> list[Action]:
        """Return what a frame means; raises UnexpectedResponse for one without sense."""
        try:
            return self._understood(parse_json(text), now)
        except FAULTS as fault:
            raise UnexpectedResponse(words_of("Kraken", fault)) from fault

    def tick(self, now: datetime) -> list[Action]:
        """Return what is due: a snapshot that did not come, a comparison, a look."""
        channels = (self._balances, self._executions)
        if any(channel.overdue(now) for channel in channels):
            return [Hang("No snapshot came")]
        found: list[Action] = []
        if self._online:
            for channel in channels:
                if channel.stale(now):
                    found += self._subscribe(channel, now)
        if self._pinged_at is not None and now - self._pinged_at > PATIENCE:
            found.append(self._ping(now))
        self._doubt_late(now)
        return [*found, *self._look(now)]

    def seen(
        self, observation: Observation, asked: datetime, now: datetime
    ) -> list[Action]:
        """Return what REST told, but for what the stream may have told later."""
        told = self._purse.seen(observation)
        # One answer holds every asset: what is missing is one that nobody can read.
        self._known, self._looked_at, self._doubted_at = True, now, None
        whole = observation.complete and len(told) == len(observation.readings)
        return [Told(told, whole), self._ping(now)]

    def answered(self, about: str, result: Any, now: datetime) -> list[Action]:
        """Return what became of an order; one that Kraken does not know is no news."""
        return [Traded([result])] if isinstance(result, Order) else []

    # -- frames

    def _understood(self, frame: Any, now: datetime) -> list[Action]:
        if "method" in frame:
            return self._replied(frame, now)
        if "channel" not in frame:
            raise UnexpectedResponse(
                f"Kraken: {frame.get('error', 'no channel')!s:.200}"
            )
        match frame["channel"]:
            case "status":
                return self._status(frame, now)
            case "balances" | "executions":
                return self._told(frame, now)
        return []  # a heartbeat, or a channel nobody asked for

    def _replied(self, frame: Frame, now: datetime) -> list[Action]:
        if frame["method"] == "pong":
            return self._ponged(frame, now)
        if frame["success"] is True or frame["method"] == "unsubscribe":
            return []
        error = text_of(frame, "error")
        if error.startswith("ESession:") or "token" in error.lower():
            return [Hang(f"Kraken: {error:.200}")]  # the next feed has a new token
        if error == "Already subscribed":
            return []
        raise named(error)

    def _status(self, frame: Frame, now: datetime) -> list[Action]:
        system = text_of(frame["data"][0], "system")
        # Where orders are restricted (cancel_only, post_only), balances are as true.
        before, self._online = self._online, system != "maintenance"
        if not self._online:
            return [Note(False, f"Kraken is in {system}")]
        if before:
            return [Note(True)]
        # What happened meanwhile is in new snapshots, or nowhere.
        return [Note(True), *self.opened(now)]

    def _told(self, frame: Frame, now: datetime) -> list[Action]:
        name = frame["channel"]
        channel = self._balances if name == BALANCES else self._executions
        what = channel.take(frame)
        if what is Heard.GAP:
            return self._subscribe(channel, now)
        if (read := self._reads.get((name, what))) is None:
            return []
        found = read(frame["data"], now)
        if self._purse.doubted and self._doubted_at is None:
            self._doubted_at = now
        return found

    def _all_balances(self, rows: Any, now: datetime) -> list[Action]:
        self._purse.compare(rows)
        return []

    def _balances_after(self, rows: Any, now: datetime) -> list[Action]:
        return self._tell([self._purse.take(row, now) for row in rows])

    def _tell(self, codes: Iterable[str]) -> list[Action]:
        """Tell what is sure; while REST is asked, it may be older than what REST told."""
        if self._pinged_at is not None:
            return []  # the pong will tell
        found = [self._purse.reading(code) for code in dict.fromkeys(codes)]
        told = [reading for reading in found if reading is not None]
        return [Told(told)] if told else []

    def _all_orders(self, rows: Any, now: datetime) -> list[Action]:
        orders, gone, differ = self._reports.snapshot(rows)
        self._purse.halves.clear()
        if differ:
            # Any of them may hold something else now.
            self._purse.doubt(*self._purse.accounts)
        asks = [self._ask(id) for id in gone]
        return [*([Traded(orders)] if orders else []), *asks]

    def _orders_after(self, rows: Any, now: datetime) -> list[Action]:
        found: list[Action] = []
        codes: list[str] = []
        for row in rows:
            order, trade = self._reports.take(row)
            if order or trade:
                found.append(Traded([order] if order else [], [trade] if trade else []))
            if order is None:
                found.append(self._ask(text_of(row, "order_id")))
            if (known := market_and_side(order, row)) is None:
                self._purse.doubt(*self._purse.accounts)
                continue
            id = trade.external_id if trade else ""
            when = moment(row["timestamp"])
            codes.append(self._purse.ordered(*known, id, when, now))
        return [*found, *self._tell(codes)]

    # -- asking

    def _subscribe(self, channel: Channel, now: datetime) -> list[Action]:
        return [*channel.subscribe(self._token, now)]

    def _ask(self, id: str) -> Ask:
        return Ask(self._provider.find_order(Sought(id, NOWHERE)), id)

    def _doubt_late(self, now: datetime) -> None:
        """Doubt what one channel told by halves, and what was long believed of holds."""
        self._purse.doubt(*self._purse.halves.late(now - HALVES_MEET))
        looked = self._looked_at
        if self._purse.touched and looked and now - looked > PROVED_EVERY:
            self._purse.doubt(*self._purse.touched)
        if self._purse.doubted and self._doubted_at is None:
            self._doubted_at = now

    def _look(self, now: datetime) -> Iterable[Action]:
        """Ask REST if there is a reason, and both channels can be compared with it."""
        doubted, looked = self._doubted_at, self._looked_at
        whole = self._balances.whole and self._executions.whole
        if not (whole and self._online) or self._pinged_at is not None:
            return
        if doubted is None or now - doubted < SETTLES:
            return
        if looked is not None and now - looked < BETWEEN_LOOKS:
            return
        self._looked_at = now
        yield Look("What is on hold may have changed")

    def _ping(self, now: datetime) -> Say:
        self._pings, self._pinged_at = self._pings + 1, now
        return Say(json.dumps({"method": "ping", "req_id": self._pings}))

    def _ponged(self, frame: Frame, now: datetime) -> list[Action]:
        if frame.get("req_id") != self._pings or self._pinged_at is None:
            return []
        self._pinged_at = None
        told = self._purse.settle()
        if self._purse.doubted:
            self._doubted_at = self._doubted_at or now
        return [Told(told)] if told else []


def _token(result: Any) -> str:
    return text_of(result, "token")
