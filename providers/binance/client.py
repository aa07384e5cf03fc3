"""Binance: spot and USDⓈ-M futures. Source: binance-spot-api-docs, and the futures' docs."""

from __future__ import annotations

from collections.abc import Sequence

from providers.base import (
    DescribesKey,
    Observation,
    Permissions,
    Place,
    Reading,
)
from providers.errors import ProviderError
from providers.wire import Call

from . import answers
from .speaking import FUTURES, SPOT
from .streams import Streaming

KINDS = {"exchange": SPOT, "futures": FUTURES}  # an account's kind → its segment


class Binance(Streaming, DescribesKey):
    """One key's accounts at Binance: each asset is an account, in each segment."""

    def observe(self, known: Sequence[Place] = ()) -> Call[Observation]:
        """Return what is held in spot and futures. What is empty is not listed.

        Source: rest-api.md, "Account information"; "Futures Account Balance V3".
        """
        readings: list[Reading] = []
        failed: dict[str, ProviderError] = {}
        for segment in self.markets:
            try:
                snapshot = yield from self.snapshot(segment)
                readings += snapshot.readings
            except ProviderError as error:
                failed[segment] = error
        if len(failed) == len(self.markets):
            raise next(iter(failed.values()))
        unknown = [
            _unknown(place, failed[segment])
            for place in known
            if (segment := KINDS.get(place.kind, "")) in failed and place.asset
        ]
        whole = not failed and all(reading.total is not None for reading in readings)
        return Observation(
            [*readings, *unknown],
            complete=whole,
            lists_held_only=True,
            lacks="; ".join(f"{name}: {_why(failed[name])}" for name in failed),
        )

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
        error=_why(error),
    )


def _why(error: ProviderError) -> str:
    return str(error) or error.code
