"""Which symbols there are, and what they exchange; prices of what is traded."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal, localcontext
from functools import partial
from typing import Any, Final

from providers.base import Quote, QuotesRates
from providers.trading import Market
from providers.wire import Call

from .answers import rows_of
from .rows import market_of, price_or_none
from .speaking import FUTURES, SPOT, Speaking

# All of them at once are larger than an answer may be; each symbol has one of these.
STATES: Final = ("TRADING", "HALT", "BREAK")
MANY: Final = 100  # symbols that are named in one address
BRIDGES: Final = ("USDT", "USDC", "BTC")  # what nearly everything is traded against
DIGITS: Final = 24  # of a rate that had to be divided

Prices = Mapping[str, Decimal | None]


class KnowsMarkets(Speaking, QuotesRates):
    """The part of the adapter that knows symbols; they are asked for once."""

    def named(self, segment: str, symbols: Collection[str]) -> Call[dict[str, Market]]:
        """Return the markets called so; raises where there is no such one."""
        known = self.known_markets[segment]
        missing = sorted(set(symbols) - known.keys())
        if missing and segment == FUTURES:
            yield from self.every_market(FUTURES)
        elif missing:
            for start in range(0, len(missing), MANY):
                names = json.dumps(missing[start : start + MANY], separators=(",", ":"))
                yield from self._learn(SPOT, symbols=names, showPermissionSets="false")
        return known

    def every_market(self, segment: str) -> Call[dict[str, Market]]:
        """Return all markets. Source: "Exchange information" of both segments."""
        if segment == FUTURES:
            yield from self._learn(FUTURES)
        else:
            for state in STATES:
                about = {"symbolStatus": state, "showPermissionSets": "false"}
                yield from self._learn(SPOT, **about)
        return self.known_markets[segment]

    def _learn(self, segment: str, **params: str) -> Call[None]:
        path, weight = ("/api/v3/exchangeInfo", 20)
        if segment == FUTURES:
            path, weight = ("/fapi/v1/exchangeInfo", 1)
        asked = self.public(segment, path, weight, **params)
        found = yield from self.ask(asked, partial(_markets, segment))
        self.known_markets[segment].update(found)

    # -- rates

    def quotes(self, codes: Sequence[str], base: str) -> Call[Sequence[Quote]]:
        """Return what `codes` are worth in `base`, directly or over one other asset.

        Source: rest-api.md, "Symbol price ticker". A symbol does not say where one
        name ends, so what its two assets are is asked, too.
        """
        path = "/api/v3/ticker/price"
        asked = self.public(SPOT, path, 4, symbolStatus="TRADING")
        prices = yield from self.ask(asked, _prices)
        ends = {*codes, base, *BRIDGES}
        wanted = [a + b for a in ends for b in ends if a + b in prices]
        known = yield from self.named(SPOT, wanted)
        pairs = {
            (known[s].base, known[s].quote): price
            for s in wanted
            if (price := prices[s]) and s in known
        }
        worth = {code: _worth(code, base, pairs) for code in codes}
        return [Quote(code, base, value) for code, value in worth.items() if value]


def _markets(segment: str, body: Any) -> Mapping[str, Market]:
    found = [market_of(row, segment) for row in rows_of(body["symbols"])]
    return {market.name: market for market in found}


def _prices(body: Any) -> Prices:
    return {row["symbol"]: price_or_none(row["price"]) for row in rows_of(body)}


def _worth(
    code: str, base: str, pairs: Mapping[tuple[str, str], Decimal]
) -> Decimal | None:
    if code == base:
        return Decimal(1)
    if direct := _step(code, base, pairs):
        return direct
    for bridge in BRIDGES:
        first, second = _step(code, bridge, pairs), _step(bridge, base, pairs)
        if first and second:
            with localcontext(prec=DIGITS):
                return first * second
    return None


def _step(
    code: str, base: str, pairs: Mapping[tuple[str, str], Decimal]
) -> Decimal | None:
    if price := pairs.get((code, base)):
        return price
    if price := pairs.get((base, code)):
        with localcontext(prec=DIGITS):
            return 1 / price
    return None
