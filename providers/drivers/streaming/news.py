"""What a stream told, and how it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic

from providers.base import Reading
from providers.streaming import Told, Traded
from providers.trading import Order, Trade


class State(StrEnum):
    """How a stream is."""

    CONNECTING = "connecting"
    LIVE = "live"  # every balance is whole and follows every change
    PAUSED = "paused"  # connected, but the institution says it stands still
    WAITING = "waiting"  # for the next attempt
    REFUSED = "refused"  # only a person can go on
    ENDED = "ended"


@dataclass
class News:
    """What a stream told since it was last asked, newest figures only."""

    readings: dict[str, Reading] = field(default_factory=dict)
    whole: bool = False
    orders: dict[tuple[str, str, str], Order] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.readings or self.whole or self.orders or self.trades)

    @classmethod
    def of(cls, told: Told | Traded) -> News:
        """Return what one action tells."""
        if isinstance(told, Told):
            by_id = {reading.external_id: reading for reading in told.readings}
            return cls(by_id, told.whole)
        orders = {_name(order): order for order in told.orders}
        return cls(orders=orders, trades=list(told.trades))

    def add(self, later: News) -> None:
        """Take in what was told later: it counts more."""
        if later.whole:  # whatever was told before is in it, or gone
            self.readings.clear()
            self.whole = True
        self.readings.update(later.readings)
        self.orders.update(later.orders)
        self.trades.extend(later.trades)


@dataclass
class Report:
    """How a stream is now, and what it has cost so far."""

    state: State = State.CONNECTING
    reason: str = ""
    since: float = field(default_factory=monotonic)  # monotonic seconds
    next_try: float = 0.0
    alive: float = 0.0  # when there was a sign of life
    frames: int = 0
    connections: int = 0
    requests: int = 0


def _name(order: Order) -> tuple[str, str, str]:
    return order.market.segment, order.market.name, order.external_id
