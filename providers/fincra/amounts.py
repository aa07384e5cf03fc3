"""Fincra's amounts: JSON's numbers, in a unit that a person has to say."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from providers.money import Asset, MoneyError, TooPrecise

MAJOR, MINOR = "major", "minor"
SCALES: Final = frozenset({MAJOR, MINOR})
# Decimals of money, by ISO 4217, and of tokens, as their contracts have them.
DECIMALS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("NGN", "GHS", "KES", "ZAR", "TZS", "ZMW", "EGP", "MWK"), 2),
    **dict.fromkeys(("USD", "EUR", "GBP", "CAD", "CNY", "HKD", "AUD", "INR"), 2),
    **dict.fromkeys(("AED", "BWP", "MZN", "SLE", "LSL", "NAD", "ETB", "GMD"), 2),
    **dict.fromkeys(("UGX", "RWF", "XOF", "XAF", "GNF"), 0),
    **dict.fromkeys(("USDT", "USDC", "CNGN"), 6),
}
TOKENS: Final = frozenset({"USDT", "USDC", "CNGN"})


def amount(asset: Asset, scale: str, value: Any) -> int:
    """Return a JSON number in minor units; raises MoneyError unless it is exact."""
    if isinstance(value, str):
        raise MoneyError(f"{value!r:.60} is a text, not a number")
    if isinstance(value, Decimal) and _exponent(value) > 0:
        raise MoneyError(f"{value} is not written as JavaScript writes amounts")
    if scale == MINOR and asset.code in TOKENS and value:
        # A hundredth, or what the contract counts in: nobody has said.
        raise MoneyError(f"The minor unit of {asset.code} at Fincra is not known")
    unit = asset if scale == MAJOR else Asset(asset.code, 0)
    try:
        return unit.minor(value)
    except TooPrecise as error:
        raise TooPrecise(f"{value} is no whole number of {asset}'s units") from error


def _exponent(value: Decimal) -> int:
    found = value.as_tuple().exponent
    return found if isinstance(found, int) else 1  # no number at all
