"""Kraken's spot interface. Source: docs.kraken.com; what it leaves open is marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from providers.base import (
    DescribesKey,
    Observation,
    Permissions,
    Place,
    Quote,
    QuotesRates,
)
from providers.money import Asset
from providers.streaming import Streams
from providers.wire import Call

from .balances import held_of, observation
from .keys import permissions_of
from .replies import positive_number, rows_of
from .stream import BALANCES, KrakenFeed, Reports
from .trading import Trading


class Kraken(Trading, DescribesKey, QuotesRates, Streams):
    """A customer's spot balances, staked and earning ones too, with orders and trades."""

    def __init__(
        self, credentials: Mapping[str, str], hosts: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(credentials, hosts)
        self._reports = Reports()

    def observe(self, known: Sequence[Place] = ()) -> Call[Observation]:
        """Return an account for each asset. Source: docs, "Get Extended Balance".

        The total is `balance`, what is held `hold_trade` (spot orders without margin
        only), what is available balance + credit - credit used - hold. Names of assets
        are asked for only if one is held that is not among `known`.
        """
        owner = yield from self.owner()
        asked = self.private("BalanceEx")
        rows = yield from self.ask(asked, held_of)
        assets = _remembered(owner, known)
        if rows.keys() - assets.keys():
            assets = {**(yield from self.assets()), **assets}
        return self.sensible(asked, lambda: observation(owner, rows, assets))

    def permissions(self) -> Call[Permissions]:
        """Return what the key may do. Source: docs, "Get API Key Info"."""
        return (yield from self.ask(self.private("GetApiKeyInfo"), permissions_of))

    def streams(self) -> Sequence[str]:
        """Return the one stream there is: one socket tells balances and executions."""
        return [BALANCES]

    def feed(self, stream: str) -> KrakenFeed:
        """Return a new feed; it looks up what the last one's open orders became."""
        return KrakenFeed(self, self._reports)

    def quotes(self, codes: Sequence[str], base: str) -> Call[Sequence[Quote]]:
        """Return last prices in `base`. Source: docs, "Get Ticker Information"."""
        markets = yield from self.markets()
        wanted = {f"{code}/{base}": code for code in codes}
        pairs = {id: wanted[m.name] for id, m in markets.items() if m.name in wanted}
        names = {code: id for id, code in pairs.items() if "/" not in id}
        if not names:
            return []
        asked = self.public("Ticker", ("pair", ",".join(names.values())))
        return (yield from self.ask(asked, partial(_quotes, pairs, base)))


def _remembered(owner: str, known: Sequence[Place]) -> Mapping[str, Asset]:
    """Return the assets of this owner's accounts that were found before."""
    named = [(p.external_id.partition(":"), p.asset) for p in known]
    return {code: asset for (who, _, code), asset in named if who == owner and asset}


def _quotes(pairs: Mapping[str, str], base: str, result: Any) -> Sequence[Quote]:
    found = rows_of(result).items()
    return [Quote(pairs[id], base, _last(row)) for id, row in found]


def _last(row: Mapping[str, Any]) -> Decimal:
    return positive_number(row["c"][0])
