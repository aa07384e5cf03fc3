"""Kraken's names of assets and markets: legacy ones in REST, new ones everywhere else.

Source: docs, "Get Asset Info", "Get Tradable Asset Pairs"; support, "API symbols".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from providers.money import ASSET, Asset
from providers.trading import Market

from .replies import rows_of, text_of

# The two alternative names that differ from WebSocket v2's and everybody else's.
RENAMED: Final[Mapping[str, str]] = {"XBT": "BTC", "XDG": "DOGE"}
# Suffix → what kind of account it is, and what a person should read.
SUFFIXES: Final[Mapping[str, tuple[str, str]]] = {
    "S": ("staked", "staked"),
    "M": ("earn", "opt-in rewards"),
    "B": ("earn", "yield-bearing"),
    "F": ("earn", "earning in Kraken Rewards"),
    "T": ("exchange", "tokenised"),
    "HOLD": ("exchange", "on hold"),
}
MOST_DECIMALS: Final = 30


def display(altname: str) -> str:
    """Return the new name of an asset: `XBT.M` is `BTC.M`. The suffix always stays."""
    base, dot, suffix = altname.rpartition(".")
    if not dot:
        return RENAMED.get(altname, altname)
    return f"{RENAMED.get(base, base)}.{suffix}"


def kind_of(code: str) -> tuple[str, str]:
    """Return an account's kind, and a label if its asset has a suffix."""
    _, dot, suffix = code.rpartition(".")
    if not dot:
        return "exchange", ""
    return SUFFIXES.get(suffix, ("exchange", suffix))


def assets_of(result: Any) -> Mapping[str, Asset]:
    """Return every asset by its REST name; raises what makes no sense."""
    return {id: _asset(row) for id, row in rows_of(result).items()}


def _asset(row: Mapping[str, Any]) -> Asset:
    code, decimals = display(text_of(row, "altname")), row["decimals"]
    if type(decimals) is not int or not 0 <= decimals <= MOST_DECIMALS:
        raise TypeError(f"{code} has {decimals!r:.60} decimals")
    if not ASSET.fullmatch(f"{code}/{decimals}"):
        raise ValueError(f"{code!r:.60} is no name of an asset")
    return Asset(code, decimals)


def markets_of(result: Any) -> Mapping[str, Market]:
    """Return every market by each of its names; those without a `wsname` are left out."""
    found: dict[str, Market] = {}
    for id, row in rows_of(result).items():
        if "wsname" in row:
            market = market_called(text_of(row, "wsname"))
            names = (id, text_of(row, "altname"), market.name)
            found |= dict.fromkeys(names, market)
    return found


def market_called(name: str) -> Market:
    """Return the market `BTC/USD`; `XBT/USD` is the same. Raises ValueError."""
    base, slash, quote = name.partition("/")
    if not (base and slash and quote):
        raise ValueError(f"{name!r:.60} is no pair")
    base, quote = display(base), display(quote)
    return Market(f"{base}/{quote}", base, quote)


def market_of(pair: str, markets: Mapping[str, Market]) -> Market:
    """Return the market of a pair that may not be listed any more; raises LookupError.

    What is no longer traded is not told by `AssetPairs`: then a quote that others are
    traded in must be the end of its name.
    """
    if known := markets.get(pair):
        return known
    if "/" in pair:
        return market_called(pair)
    quotes = {market.quote for market in markets.values()}
    ends = [(text, quote) for quote in quotes for text in _written(quote)]
    for text, quote in sorted(ends, key=lambda end: len(end[0]), reverse=True):
        base = pair.removesuffix(text)
        if base not in ("", pair):
            legacy = len(pair) == 8 and text != quote and base[0] in "XZ"
            return market_called(f"{base[1:] if legacy else base}/{quote}")
    raise LookupError(f"{pair!r:.60} is no pair")


def _written(code: str) -> tuple[str, ...]:
    """Return how a quote may stand at the end of a pair."""
    old = {new: old for old, new in RENAMED.items()}.get(code, code)
    return (f"Z{old}", f"X{old}", old) if len(old) == 3 else (old,)
