"""The port for providers that push news over a WebSocket: pure talk, without a socket.

Whoever runs a feed connects, hands in every frame in order, and carries out the
actions that come back, in order, before the next frame is handed in. So nothing is
heard while `Look` or `Ask` waits for an answer: frames of that time come afterwards,
and the feed can tell which of them are older than what was read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from .base import Observation, Reading
from .trading import Order, Trade
from .wire import Call


@dataclass(frozen=True, slots=True)
class Say:
    """Send one text frame."""

    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """Absolute balances that the stream told; never differences.

    `whole`: these are all accounts of the stream, and one that is not among them is
    empty. `as_of` of each reading is the provider's moment.
    """

    readings: Sequence[Reading]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Traded:
    """Orders as they are now, and trades that were made."""

    orders: Sequence[Order] = ()
    trades: Sequence[Trade] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """Read all balances over REST now, and hand them to the feed's `seen`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Run a call over REST now; its result is handed to the feed's `answered`."""

    call: Call[Any]
    about: str


@dataclass(frozen=True, slots=True)
class Note:
    """The provider says how it is: `online`, or why balances may stand still."""

    online: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Hang:
    """Close, and connect anew after `wait` seconds."""

    reason: str
    wait: float = 0.0


Action = Say | Told | Traded | Look | Ask | Note | Hang


class Feed(ABC):
    """One connection of one stream, from the first request to its end. Does no I/O.

    Every method may raise a ProviderError: the credentials were refused, or a frame
    makes no sense. The connection is then closed; the next one has a feed of its own.
    """

    host: str = "stream"  # key of the adapter's `hosts`
    silence: ClassVar[float] = 60.0  # seconds without a sign of life: it is dead
    # Whether only frames are signs of life, as the institution sends some all the time;
    # elsewhere an answered ping is one, too.
    heartbeats: ClassVar[bool] = False
    lasts: ClassVar[float] = 23 * 3600.0  # seconds after which a new one is opened

    @abstractmethod
    def opening(self) -> Call[str]:
        """Ask what is needed to connect; return what follows the host in the address."""

    @abstractmethod
    def opened(self, now: datetime) -> Iterable[Action]:
        """Return what to do once connected: usually to subscribe."""

    @abstractmethod
    def heard(self, text: str, now: datetime) -> Iterable[Action]:
        """Return what a frame means."""

    def seen(
        self, observation: Observation, asked: datetime, now: datetime
    ) -> Iterable[Action]:
        """Return what follows from what REST told; it was asked at `asked`."""
        return ()

    def answered(self, about: str, result: Any, now: datetime) -> Iterable[Action]:
        """Return what follows from the answer to an `Ask`."""
        return ()

    def tick(self, now: datetime) -> Iterable[Action]:
        """Return what is due now; called about once a second."""
        return ()

    def covers(self, external_id: str) -> bool:
        """Say whether an account is one of those that this stream tells about."""
        return True

    @property
    @abstractmethod
    def live(self) -> bool:
        """Say whether the balances are known to be whole and to follow every change."""


class Streams(ABC):
    """Providers that push balances."""

    @abstractmethod
    def streams(self) -> Sequence[str]:
        """Return the names of the streams these credentials have; each is one socket."""

    @abstractmethod
    def feed(self, stream: str) -> Feed:
        """Return a new feed of the stream called so."""
