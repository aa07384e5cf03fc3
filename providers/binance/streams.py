"""The streams of a key: one for each segment."""

from __future__ import annotations

from collections.abc import Sequence

from providers.errors import Refused
from providers.streaming import Feed, Streams

from .futures_feed import FuturesFeed
from .speaking import FUTURES
from .spot_feed import SpotFeed
from .trading import Trading


class Streaming(Trading, Streams):
    """The part of the adapter that is told, instead of asking."""

    def streams(self) -> Sequence[str]:
        return list(self.markets)

    def feed(self, stream: str) -> Feed:
        """Return a feed of "spot" or "futures"; raises Refused for others."""
        if stream not in self.markets:
            raise Refused(f"{self.name} has no stream called {stream:.40}")
        return FuturesFeed(self) if stream == FUTURES else SpotFeed(self)
