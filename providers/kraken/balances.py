"""What `BalanceEx` means, in minor units of each asset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from providers.base import Observation, Reading
from providers.money import EXACT, Asset, TooPrecise

from .names import kind_of
from .replies import exact, rows_of


@dataclass(frozen=True, slots=True)
class Held:
    """One asset's row. `balance` holds what is on hold, and none of the credit line."""

    balance: Decimal
    hold: Decimal
    credit: Decimal = Decimal(0)
    credit_used: Decimal = Decimal(0)

    @property
    def available(self) -> Decimal:
        """What can be traded: the documented balance + credit - credit used - hold."""
        used = EXACT.add(self.credit_used, self.hold)
        return EXACT.subtract(EXACT.add(self.balance, self.credit), used)


def held_of(result: Any) -> Mapping[str, Held]:
    """Return every asset's row by its REST name; numbers may be texts or not."""
    return {code: _held(row) for code, row in rows_of(result).items()}


def _held(row: Mapping[str, Any]) -> Held:
    return Held(
        exact(row["balance"]),
        *(
            positive(row[name] if name == "hold_trade" else row.get(name, 0))
            for name in ("hold_trade", "credit", "credit_used")
        ),
    )


def positive(value: Any) -> Decimal:
    """Return a number that cannot be below zero; raises ValueError."""
    if (number := exact(value)) < 0:
        raise ValueError(f"{value!r:.60} is below zero")
    return number


def observation(
    owner: str, rows: Mapping[str, Held], assets: Mapping[str, Asset]
) -> Observation:
    """Return one account for each asset, also for each that only a suffix tells apart.

    An asset that nobody can name has no account: then the observation is not complete.
    """
    readings = [
        reading(owner, code, assets[code], held)
        for code, held in rows.items()
        if code in assets
    ]
    whole = len(readings) == len(rows) and not any(r.error for r in readings)
    return Observation(readings, complete=whole, lists_held_only=True)


def reading(owner: str, code: str, asset: Asset, held: Held) -> Reading:
    """Return the account of one asset, called by its owner and its REST name.

    The total is Kraken's own "total balance amount"; the credit line is no part of it,
    but of what is available.
    """
    kind, label = kind_of(asset.code)
    amounts, error = _amounts(asset, held)
    total, available, on_hold = amounts
    return Reading(
        f"{owner}:{code}",
        asset,
        total,
        available,
        held=on_hold or 0,
        name=f"{asset.code} ({label})" if label else asset.code,
        kind=kind,
        can_send=not label,
        can_receive=not label,
        details=_details(code, held),
        error=error,
    )


def _amounts(asset: Asset, held: Held) -> tuple[Sequence[int | None], str]:
    wanted = (held.balance, held.available, held.hold)
    try:
        return [asset.minor(amount) for amount in wanted], ""
    except TooPrecise as error:
        # It has more decimals than when it was seen first: nothing here is rounded.
        return [None, None, None], str(error)


def _details(code: str, held: Held) -> Mapping[str, str]:
    found = {"code": code}
    if held.credit or held.credit_used:
        found |= {"credit": str(held.credit), "credit_used": str(held.credit_used)}
    return found
