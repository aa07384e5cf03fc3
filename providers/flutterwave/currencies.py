"""How finely the currencies are divided (ISO 4217): never guessed from an amount."""

from __future__ import annotations

import re
from typing import Any, Final

from providers.money import Asset, MoneyError

WHOLE: Final = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
THOUSANDTHS: Final = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])
USUAL: Final = 2
COIN: Final = 6  # of stablecoins, whose codes are longer
CODE: Final = re.compile(r"[A-Z]{3,10}", re.ASCII)


def asset_of(currency: Any) -> Asset:
    """Return the asset of a wallet; raises MoneyError for what is no currency's code."""
    if not isinstance(currency, str) or not CODE.fullmatch(currency):
        raise MoneyError(f"{currency!r:.60} is no currency")
    return Asset(currency, _decimals(currency))


def _decimals(code: str) -> int:
    if len(code) > 3:
        return COIN
    return 0 if code in WHOLE else 3 if code in THOUSANDTHS else USUAL
