"""What Flutterwave's answers about wallets mean: JSON numbers of whole units."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from providers.base import Observation, Reading
from providers.money import Asset, MoneyError

from .answers import rows_of
from .currencies import asset_of
from .naming import Namer


def seen(name: Namer, total: str, body: Any) -> Observation:
    """Return the wallets of an answer; `total` is the field that says what one holds.

    A figure that is no exact amount leaves its wallet unknown, and no other.
    """
    readings = [_reading(name, total, row) for row in rows_of(body)]
    return Observation(readings, complete=all(r.total is not None for r in readings))


def _reading(name: Namer, total: str, row: Mapping[str, Any]) -> Reading:
    asset = asset_of(row["currency"])
    held: int | None = None
    available: int | None = None
    error = ""
    try:
        held = _minor(row, total, asset)
        available = _minor(row, "available_balance", asset)
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
