"""What both streams share: when balances have to be read again, and whether they are whole.

Neither stream has a snapshot or numbers its frames, so what was lost can only be told by
what should have come with it, and by looking from time to time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from providers.streaming import Action, Ask, Feed, Hang
from providers.trading import Market
from providers.wire import Request, parse_json

from .answers import owner_of
from .trading import Trading

BALANCES: Final = "balances"
MARKETS: Final = "markets"
PATIENCE: Final = timedelta(seconds=10)  # until a subscription must be confirmed
AUDIT: Final = timedelta(seconds=60)  # between two looks where nothing seems amiss


class Following(Feed):
    """A stream of one segment, and what was last known of it."""

    silence = 30.0  # they answer a ping at once
    grace: ClassVar[timedelta]  # until what is owed counts as lost
    pause: ClassVar[timedelta]  # between two looks, whatever happens

    def __init__(self, provider: Trading, segment: str) -> None:
        self.provider, self.segment = provider, segment
        self.host = provider.host(segment, stream=True)
        self.markets: Mapping[str, Market] = {}
        self.owed: dict[str, tuple[datetime, int]] = {}  # what → (heard, happened)
        self.subscribed = False
        self._began: datetime | None = None
        self._looked: datetime | None = None
        self._late = False

    def covers(self, external_id: str) -> bool:
        network = self.provider.network
        return external_id.startswith(owner_of(network, self.segment, "") + ":")

    @property
    def live(self) -> bool:
        return self._looked is not None and not self._late

    def frame(self, text: str) -> Any:
        """Return what is in a frame; raises UnexpectedResponse."""
        return self.provider.sensible(self.where, lambda: dict(parse_json(text)))

    @property
    def where(self) -> Request:
        """Return what a frame would be the answer to, if it were one."""
        return Request("GET", "/", self.host)

    # -- looking

    def look(self, now: datetime) -> Ask:
        """Read all balances of the segment now."""
        self._looked = now
        return Ask(self.provider.snapshot(self.segment), BALANCES)

    def owe(self, what: Iterable[str], happened: int, now: datetime) -> None:
        """Expect to be told about `what`; it changed at `happened`, in milliseconds."""
        for each in what:
            heard, before = self.owed.get(each, (now, 0))
            self.owed[each] = heard, max(before, happened)

    def paid(self, what: str, until: int) -> None:
        """Take note that `what` is known as of `until`."""
        if what in self.owed and self.owed[what][1] <= until:
            del self.owed[what]

    def caught_up(self) -> None:
        """Take note that everything has been read."""
        self.owed.clear()
        self._late = False

    def tick(self, now: datetime) -> Iterable[Action]:
        """Look if something was lost, or if nobody has for long."""
        self._began = self._began or now
        if not self.subscribed:
            if now - self._began > PATIENCE:
                return [Hang("The subscription was not confirmed")]
            return []
        self._late = any(now - heard >= self.grace for heard, _ in self.owed.values())
        since = now - self._looked if self._looked else AUDIT
        if since >= AUDIT or (self._late and since >= self.pause):
            return [self.look(now)]
        return []

    # -- markets

    def known(self, symbol: str) -> Iterable[Action]:
        """Ask what a symbol exchanges, unless that is known."""
        if symbol not in self.markets:
            yield Ask(self.provider.named(self.segment, {symbol}), MARKETS)
