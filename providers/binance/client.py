"""Binance: spot and USDⓈ-M futures. Source: binance-spot-api-docs, and the futures' docs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from providers.base import (
    DescribesKey,
    Observation,
    Permissions,
    Place,
    Reading,
)
from providers.errors import ProviderError
from providers.wire import Call, Request

from . import answers
from .speaking import FUTURES, SPOT, TESTNET
from .trading import Trading

KINDS = {"exchange": SPOT, "futures": FUTURES}  # an account's kind → its segment


class Binance(Trading, DescribesKey):
    """One key's accounts at Binance: each asset is an account, in each segment."""

    @property
    def network(self) -> str:
        return TESTNET if self.testnet else ""

    def observe(self, known: Sequence[Place] = ()) -> Call[Observation]:
        """Return what is held in spot and futures. What is empty is not listed.

        Source: rest-api.md, "Account information"; "Futures Account Balance V3".
        """
        readings: list[Reading] = []
        failed: dict[str, ProviderError] = {}
        for segment in self.markets:
            request, read = self._balances(segment)
            try:
                readings += yield from self.ask(request, read)
            except ProviderError as error:
                failed[segment] = error
        if len(failed) == len(self.markets):
            raise next(iter(failed.values()))
        unknown = [
            _unknown(place, failed[segment])
            for place in known
            if (segment := KINDS.get(place.kind, "")) in failed and place.asset
        ]
        return Observation(
            [*readings, *unknown], complete=not failed, lists_held_only=True
        )

    def _balances(
        self, segment: str
    ) -> tuple[Request, Callable[[Any], Sequence[Reading]]]:
        if segment == FUTURES:
            asked = self.private(FUTURES, "/fapi/v3/balance", 5)
            return asked, partial(answers.futures_readings, self.network)
        asked = self.private(SPOT, "/api/v3/account", 20, omitZeroBalances="true")
        return asked, partial(answers.spot_readings, self.network)

    def permissions(self) -> Call[Permissions]:
        """Return what the key may do. Source: "Get API Key Permission" (/sapi)."""
        if not self.testnet:
            path = "/sapi/v1/account/apiRestrictions"
            asked = self.private(SPOT, path, 1)
            return (yield from self.ask(asked, answers.permissions_of))
        # The test network has no /sapi at all.
        asked = self.private(SPOT, "/api/v3/account", 20, omitZeroBalances="true")
        return (yield from self.ask(asked, answers.nothing_told))


def _unknown(place: Place, error: ProviderError) -> Reading:
    assert place.asset is not None
    return Reading(
        place.external_id,
        place.asset,
        None,
        None,
        kind=place.kind,
        error=str(error) or error.code,
    )
