"""Money in JSON: an object of strings, because a JSON number may be a float."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.money import Asset, MoneyError, parse_minor


def money(minor: int, asset: Asset | str) -> dict[str, str]:
    """Return `minor` units as `{"asset", "minor", "amount"}`, all strings."""
    unit = asset if isinstance(asset, Asset) else Asset.parse(asset)
    return {"asset": str(unit), "minor": str(minor), "amount": unit.major(minor)}


def parse_money(value: Any, *, asset: Asset | str | None = None) -> int:
    """Return the minor units of a money object; raises MoneyError.

    It needs `asset` and one of `minor` and `amount`, as strings. Where both stand
    they must agree, and the asset must be `asset` where one is expected.
    """
    unit = _unit(value, asset)
    told = [
        read(value[key])
        for key, read in (("minor", parse_minor), ("amount", _amount_of(unit)))
        if value.get(key) is not None
    ]
    if not told:
        raise MoneyError("Money needs `minor` or `amount`")
    if told[0] != told[-1]:
        raise MoneyError("`minor` and `amount` differ")
    return told[0]


def money_asset(value: Any) -> Asset:
    """Return the asset of a money object; raises MoneyError."""
    return _unit(value, None)


def _unit(value: Any, asset: Asset | str | None) -> Asset:
    if not isinstance(value, Mapping):
        raise MoneyError("Money is an object of strings, never a number")
    unknown = value.keys() - {"asset", "minor", "amount"}
    if unknown:
        raise MoneyError(f"Money has no {', '.join(sorted(map(str, unknown)))}")
    unit = Asset.parse(value.get("asset", ""))
    if asset is not None and str(unit) != str(asset):
        raise MoneyError(f"This is money in {unit}, not in {asset}")
    return unit


def _amount_of(unit: Asset):
    def read(text: Any) -> int:
        if not isinstance(text, str):
            raise MoneyError(f"{text!r} is not a decimal in a string")
        return unit.minor(text)

    return read
