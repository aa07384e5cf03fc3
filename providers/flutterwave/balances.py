"""What Flutterwave's answers about wallets mean: JSON numbers of whole units.

A wallet is two balances, and neither is in the other. The ledger balance, in newer pages
the collection balance, is what was received: "the money stays here until it's settled"
into a bank account or the available (payout) balance, which is what may be sent. Source:
help pages "Flutterwave Balance", "Settlement schedule". Version 4 tells the second only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from providers.base import Observation, Reading
from providers.money import Asset, MoneyError

from .answers import rows_of
from .currencies import asset_of
from .naming import Namer

AVAILABLE: Final = "available_balance"
PARTS: Final[Mapping[int, Sequence[str]]] = {  # of what a wallet holds, by version
    3: (AVAILABLE, "ledger_balance"),
    4: (AVAILABLE,),
}


def seen(name: Namer, parts: Sequence[str], body: Any) -> Observation:
    """Return the wallets of an answer; `parts` are the fields that make what one holds.

    A figure that is no exact amount leaves its wallet unknown, and no other.
    """
    readings = [_reading(name, parts, row) for row in rows_of(body)]
    return Observation(readings, complete=all(r.total is not None for r in readings))


def _reading(name: Namer, parts: Sequence[str], row: Mapping[str, Any]) -> Reading:
    asset = asset_of(row["currency"])
    held: int | None = None
    available: int | None = None
    error = ""
    try:
        held = sum(_minor(row, part, asset) for part in parts)
        available = _minor(row, AVAILABLE, asset)
    except MoneyError as wrong:  # it says nothing of the other wallets
        held, error = None, str(wrong)
    return Reading(
        name(asset.code),
        asset,
        held,
        available,
        name=f"{asset.code} wallet",
        kind="wallet",
        error=error,
    )


def _minor(row: Mapping[str, Any], field: str, asset: Asset) -> int:
    value = row.get(field)
    if not isinstance(value, int | Decimal):  # texts are none here
        raise MoneyError(f"{field} is {value!r:.60}")
    return asset.minor(value)
