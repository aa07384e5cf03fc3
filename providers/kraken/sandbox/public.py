"""What everybody may ask: assets, markets, prices, the time."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

from providers.sandbox import clock
from providers.sandbox.wire import Answer, Asked

from .catalogue import ASSETS, PAIRS, Pair, asset_called, pair_called
from .engine import Engine
from .words import bad, fine, no


class Public(Engine):
    """The part of the exchange that needs no key."""

    def time(self, asked: Asked) -> Answer:
        _only(asked)
        now = int(self.clock.timestamp())
        return fine({"unixtime": now, "rfc1123": formatdate(now, usegmt=True)})

    def system_status(self, asked: Asked) -> Answer:
        _only(asked)
        now = clock.text(self.clock.now()).partition(".")[0] + "Z"
        return fine({"status": self.mode(), "timestamp": now})

    def assets(self, asked: Asked) -> Answer:
        wish = _only(asked, "asset", "aclass", "assetVersion")
        wanted = [asset_called(name) for name in _names(wish, "asset")] or [*ASSETS]
        if None in wanted:
            raise no("EQuery:Unknown asset")
        return fine({code: _asset(code) for code in wanted if code})

    def asset_pairs(self, asked: Asked) -> Answer:
        wish = _only(asked, "pair", "info", "country_code", "aclass_base")
        return fine({pair.id: pair.row() for pair in self._pairs(wish)})

    def ticker(self, asked: Asked) -> Answer:
        wish = _only(asked, "pair", "asset_class")
        return fine({pair.id: self._price(pair) for pair in self._pairs(wish)})

    def _pairs(self, wish: Mapping[str, str]) -> list[Pair]:
        found = [pair_called(name) for name in _names(wish, "pair")]
        if None in found:
            raise no("EQuery:Unknown asset pair")
        return [pair for pair in found if pair] or [*PAIRS.values()]

    def _price(self, pair: Pair) -> dict[str, Any]:
        last = str(self.ledger.topic("prices").get(pair.symbol, pair.start))
        return {
            "a": [last, "1", "1.000"],
            "b": [last, "1", "1.000"],
            "c": [last, "0.00100000"],
            "v": ["10.00000000", "100.00000000"],
            "p": [last, last],
            "t": [10, 100],
            "l": [last, last],
            "h": [last, last],
            "o": last,
        }

    def quote(self, market: str, price: str) -> None:
        """Let the last price of a market be this one."""
        if pair_called(market) is None:
            raise LookupError(market)
        self.ledger.put(("prices", market, price))


def _only(asked: Asked, *known: str) -> Mapping[str, str]:
    """Return the parameters; raises Declined for one that the method does not have."""
    wish = {**asked.query, **asked.form}
    if unknown := sorted(wish.keys() - set(known)):
        raise bad(unknown[0])
    return wish


def _names(wish: Mapping[str, str], field: str) -> list[str]:
    return [name for name in wish.get(field, "").split(",") if name]


def _asset(code: str) -> dict[str, Any]:
    altname, decimals, shown = ASSETS[code]
    return {
        "aclass": "currency",
        "altname": altname,
        "decimals": decimals,
        "display_decimals": shown,
        "status": "enabled",
    }
