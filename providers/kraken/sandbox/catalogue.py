"""The assets and markets this Kraken knows, by their legacy names in REST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from providers.kraken.names import display
from providers.money import Asset

# REST name → (alternative name, decimals, decimals shown)
ASSETS: Final[Mapping[str, tuple[str, int, int]]] = {
    "ZUSD": ("USD", 4, 2),
    "ZEUR": ("EUR", 4, 2),
    "ZGBP": ("GBP", 4, 2),
    "XXBT": ("XBT", 10, 5),
    "XETH": ("ETH", 10, 5),
    "XLTC": ("LTC", 10, 5),
    "XXRP": ("XRP", 8, 5),
    "XXDG": ("XDG", 8, 2),
    "SOL": ("SOL", 10, 5),
    "ADA": ("ADA", 8, 6),
    "DOT": ("DOT", 10, 8),
    "LINK": ("LINK", 10, 5),
    "AVAX": ("AVAX", 10, 5),
    "USDT": ("USDT", 8, 4),
    "USDC": ("USDC", 8, 4),
    "KFEE": ("FEE", 2, 2),
    "XBT.M": ("XBT.M", 10, 5),
    "ETH2.S": ("ETH2.S", 10, 5),
    "DOT.S": ("DOT.S", 10, 8),
    "DOT28.S": ("DOT28.S", 10, 8),
    "SOL.F": ("SOL.F", 10, 5),
    "USD.B": ("USD.B", 4, 4),
    "TSLAx.T": ("TSLAx.T", 10, 5),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One market, with the price it starts at."""

    id: str
    altname: str
    wsname: str
    base: str
    quote: str
    decimals: int  # of a price
    start: Decimal

    @property
    def symbol(self) -> str:
        """Return the name in WebSocket v2."""
        base, _, quote = self.wsname.partition("/")
        return f"{display(base)}/{display(quote)}"

    def row(self) -> dict[str, Any]:
        """Return what `AssetPairs` says of it."""
        return {
            "altname": self.altname,
            "wsname": self.wsname,
            "aclass_base": "currency",
            "base": self.base,
            "aclass_quote": "currency",
            "quote": self.quote,
            "lot": "unit",
            "cost_decimals": 5,
            "pair_decimals": self.decimals,
            "lot_decimals": 8,
            "lot_multiplier": 1,
            "leverage_buy": [2, 3],
            "leverage_sell": [2, 3],
            "fees": [[0, 0.4]],
            "fees_maker": [[0, 0.25]],
            "fee_volume_currency": "ZUSD",
            "margin_call": 80,
            "margin_stop": 40,
            "ordermin": "0.0001",
            "costmin": "0.5",
            "tick_size": str(Decimal(1).scaleb(-self.decimals)),
            "status": "online",
        }


def _pairs(*rows: str) -> dict[str, Pair]:
    found = {}
    for row in rows:
        id, altname, wsname, base, quote, decimals, start = row.split()
        found[id] = Pair(
            id, altname, wsname, base, quote, int(decimals), Decimal(start)
        )
    return found


PAIRS: Final[Mapping[str, Pair]] = _pairs(
    "XXBTZUSD XBTUSD XBT/USD XXBT ZUSD 1 64000.0",
    "XETHZUSD ETHUSD ETH/USD XETH ZUSD 2 3100.00",
    "SOLUSD SOLUSD SOL/USD SOL ZUSD 2 150.00",
    "ADAUSD ADAUSD ADA/USD ADA ZUSD 6 0.450000",
    "DOTUSD DOTUSD DOT/USD DOT ZUSD 4 6.5000",
    "XLTCZUSD LTCUSD LTC/USD XLTC ZUSD 2 82.00",
    "XXRPZUSD XRPUSD XRP/USD XXRP ZUSD 5 0.52000",
    "XDGUSD XDGUSD XDG/USD XXDG ZUSD 7 0.1400000",
    "LINKUSD LINKUSD LINK/USD LINK ZUSD 5 14.20000",
    "AVAXUSD AVAXUSD AVAX/USD AVAX ZUSD 2 33.00",
    "XXBTZEUR XBTEUR XBT/EUR XXBT ZEUR 1 59000.0",
    "XETHZEUR ETHEUR ETH/EUR XETH ZEUR 2 2860.00",
    "XETHXXBT ETHXBT ETH/XBT XETH XXBT 5 0.04840",
    "ZEURZUSD EURUSD EUR/USD ZEUR ZUSD 5 1.08400",
    "ZGBPZUSD GBPUSD GBP/USD ZGBP ZUSD 5 1.27000",
    "USDTZUSD USDTUSD USDT/USD USDT ZUSD 5 1.00010",
    "USDCUSD USDCUSD USDC/USD USDC ZUSD 4 1.0000",
)
SYMBOLS: Final[Mapping[str, Pair]] = {pair.symbol: pair for pair in PAIRS.values()}


def asset_of(code: str) -> Asset:
    """Return the asset a REST name stands for; raises LookupError."""
    altname, decimals, _ = ASSETS[code]
    return Asset(display(altname), decimals)


def pair_called(name: str) -> Pair | None:
    """Return a market by any of its names."""
    if found := PAIRS.get(name) or SYMBOLS.get(name):
        return found
    named = (p for p in PAIRS.values() if name in (p.altname, p.wsname))
    return next(named, None)


def asset_called(name: str) -> str | None:
    """Return the REST name of an asset by any of its names."""
    if name in ASSETS:
        return name
    named = (c for c, (alt, _, _) in ASSETS.items() if name in (alt, display(alt)))
    return next(named, None)
