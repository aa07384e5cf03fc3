"""Coinbase's Advanced Trade API. Source: docs.cdp.coinbase.com; it reads, and never orders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from providers.base import (
    DescribesKey,
    Observation,
    Permissions,
    Place,
    Quote,
    QuotesRates,
    Reading,
)
from providers.streaming import Feed, Streams
from providers.wire import Call

from . import accounts, markets
from .reports import Reports
from .speaking import PAGE, ROOT
from .stream import OrderFeed

STREAM: Final = "orders"


class Coinbase(Reports, DescribesKey, QuotesRates, Streams):
    """One portfolio at Coinbase: an API key sees no other."""

    def observe(self, known: Sequence[Place] = ()) -> Call[Observation]:
        """Return every account of the portfolio. Source: docs, "List Accounts"."""
        found: dict[str, Reading] = {}
        first = self.get(f"{ROOT}/accounts", ("limit", PAGE))
        listed = yield from self.whole(first, "accounts")
        for request, response in listed.pages:
            for reading in self.understand(request, response, accounts.readings):
                found[reading.external_id] = reading
        return Observation(list(found.values()))

    def permissions(self) -> Call[Permissions]:
        """Return what the key may do. Source: docs, "Get API Key Permissions"."""
        asked = self.get(f"{ROOT}/key_permissions")
        return (yield from self.ask(asked, accounts.permissions))

    def quotes(self, codes: Sequence[str], base: str) -> Call[Sequence[Quote]]:
        """Return the last prices of pairs with `base`. Source: docs, "List Products"."""
        asked = self.get(f"{ROOT}/products", ("product_type", "SPOT"))
        return (yield from self.ask(asked, partial(markets.quotes, set(codes), base)))

    def streams(self) -> Sequence[str]:
        return [STREAM]

    def feed(self, stream: str) -> Feed:
        """Return a feed of the orders; an adapter's tokens are signed when they are sent."""
        return OrderFeed(lambda: self.key, self.open_orders)
