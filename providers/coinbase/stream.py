"""The stream of orders. Coinbase streams no balances: they are read when an order changed.

Source: docs.cdp.coinbase.com, "Advanced Trade WebSocket Overview" and "Channels". Nothing
tells of deposits, withdrawals and conversions; those are seen by a regular look.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from providers.base import Observation
from providers.errors import (
    FAULTS,
    AuthenticationFailed,
    UnexpectedResponse,
    words_of,
)
from providers.streaming import Action, Ask, Feed, Hang, Look, Say, Told, Traded
from providers.trading import Order
from providers.wire import Call, parse_json

from . import orders
from .fields import rows, text
from .signing import Key

CHANNELS: Final = ("heartbeats", "user")
SETTLE: Final = timedelta(seconds=1)  # from an event until balances are read
APART: Final = timedelta(seconds=2)  # at least, of two looks
REGULAR: Final = timedelta(minutes=5)  # at most, of two looks
PATIENCE: Final = timedelta(seconds=10)  # until a subscription is confirmed
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9999, 1, 1, tzinfo=UTC)
OPEN_ORDERS: Final = "open orders"


class OrderFeed(Feed):
    """Orders as they change, and the balances that were read because of them.

    It covers no account: however alive it is, a balance is as old as the last look.
    """

    heartbeats = True  # one a second
    silence = 15.0

    def __init__(
        self, key: Callable[[], Key], open_orders: Callable[[], Call[Sequence[Order]]]
    ) -> None:
        self._key, self._open_orders = key, open_orders
        self._number: int | None = None  # of the last frame, over all channels
        self._subscribed = self._seen = False
        self._looked = NEVER
        self._opened = LAST
        self._due = LAST

    @property
    def live(self) -> bool:
        return self._subscribed and self._seen

    def covers(self, external_id: str) -> bool:
        return False

    def opening(self) -> Call[str]:
        """Return nothing to add to the address: each subscription proves who asks."""
        return ""
        yield

    def opened(self, now: datetime) -> Iterable[Action]:
        """Subscribe, within the five seconds there are for that; each with its own token."""
        self._opened, key = now, self._key()
        wishes = [
            {"type": "subscribe", "channel": channel, "jwt": key.token(now)}
            for channel in CHANNELS
        ]
        return [Say(json.dumps(wish)) for wish in wishes]

    def heard(self, text: str, now: datetime) -> Iterable[Action]:
        """Return what follows from a frame; raises UnexpectedResponse for nonsense."""
        try:
            frame = parse_json(text)
            _complain(frame)
            actions = self._understood(frame, now)
        except FAULTS as fault:
            raise UnexpectedResponse(words_of("Coinbase's stream", fault)) from fault
        return [*actions, *self.tick(now)]

    def seen(
        self, observation: Observation, asked: datetime, now: datetime
    ) -> Iterable[Action]:
        self._seen = True
        return [Told(observation.readings)]

    def answered(self, about: str, result: Any, now: datetime) -> Iterable[Action]:
        return [Traded(orders=result)]

    def tick(self, now: datetime) -> Iterable[Action]:
        """Look where a look is due."""
        if not self._subscribed and now > self._opened + PATIENCE:
            return [Hang("The subscription was not confirmed", wait=1.0)]
        if now < self._due:
            return []
        self._looked, self._due = now, now + REGULAR
        return [Look("An order changed, or it is time")]

    def _understood(self, frame: Any, now: datetime) -> list[Action]:
        channel, events = text(frame["channel"]), rows(frame, "events")
        step = self._step(frame["sequence_num"])
        actions: list[Action] = []
        confirmed = channel == "user" or any("user" in _names(e) for e in events)
        if confirmed and not self._subscribed:
            self._subscribed, self._due = True, now
        if channel == "user":
            # What is told on subscribing was so before the look that follows on it.
            if any(event.get("type") != "snapshot" for event in events):
                self._look_soon(now)
            if step > 0:  # what comes late may be older than what is known
                changed = [
                    orders.streamed(row)
                    for event in events
                    for row in rows(event, "orders")
                ]
                actions.append(Traded([order for order in changed if order]))
        if step > 1:
            self._look_soon(now)
            actions.append(Ask(self._open_orders(), OPEN_ORDERS))
        return actions

    def _step(self, number: Any) -> int:
        """Return by how much the count of frames grew: by one, unless some are missing."""
        if type(number) is not int:
            raise TypeError(f"{number!r:.60} is no number of a frame")
        step = 1 if self._number is None else number - self._number
        self._number = number if self._number is None else max(number, self._number)
        return step

    def _look_soon(self, now: datetime) -> None:
        # What happens together costs one look, and what never ceases one in two seconds.
        soon = max(now + SETTLE, self._looked + APART) if self._seen else now
        self._due = min(self._due, soon)


def _complain(frame: Any) -> None:
    """Raise what an error frame says."""
    if "type" in frame and frame["type"] == "error":
        words = f"Coinbase's stream: {text(frame['message'])}"[:300]
        denied = "auth" in words.lower() or "jwt" in words.lower()
        raise AuthenticationFailed(words) if denied else UnexpectedResponse(words)


def _names(event: Mapping[str, Any]) -> Iterable[str]:
    """Return the channels that an event confirms."""
    names: Mapping[str, Any] = event.get("subscriptions", {})
    return names
