"""What Monzo's answers about accounts and pots mean. Amounts are minor units already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from providers.base import Invariant, Observation, Place, Reading, Receipt
from providers.errors import ProviderError
from providers.fields import flag, natural, rows, text
from providers.money import Asset, whole

# Prepaid, rewards, loan and flex accounts hold no money that could be moved.
TYPES: Final[Mapping[str, str]] = {
    "uk_retail": "Current account",
    "uk_retail_joint": "Joint account",
    "uk_business": "Business account",
}
DECIMALS: Final[Mapping[str, int]] = {
    "AUD": 2,
    "CAD": 2,
    "CHF": 2,
    "EUR": 2,
    "GBP": 2,
    "JPY": 0,
    "USD": 2,
}
# `balance_including_flexible_savings` exists beside `total_balance`, so those are not in it.
OUTSIDE_TOTAL: Final = frozenset({"flexible_savings"})


@dataclass(frozen=True, slots=True)
class Listed:
    """An account as `/accounts` lists it."""

    id: str
    name: str
    currency: str


def listed(body: Any) -> list[Listed]:
    """Return the open accounts that hold money; type and currency are undocumented."""
    open_ones = [
        row for row in rows(body, "accounts") if not flag(row.get("closed", False))
    ]
    wanted = [row for row in open_ones if row.get("type", "uk_retail") in TYPES]
    found = [
        Listed(
            text(row["id"]),
            TYPES[row.get("type", "uk_retail")],
            text(row.get("currency") or "GBP"),
        )
        for row in wanted
    ]
    if len({account.id for account in found}) < len(found):
        raise ValueError("An account is listed twice")
    return found


def remembered(known: Iterable[Place]) -> list[Listed]:
    """Return accounts that were listed before; their names are not asked again."""
    return [Listed(p.external_id, "", p.asset.code) for p in known if p.asset]


@dataclass(frozen=True, slots=True)
class Held:
    """An account's money as `/balance` tells it; below zero is an overdraft."""

    asset: Asset
    balance: int
    with_pots: int


def held(account: Listed, body: Any) -> Held:
    """Return what `/balance` says; raises ValueError on another currency."""
    asset = money(body["currency"], account.currency)
    return Held(asset, whole(body["balance"]), whole(body["total_balance"]))


def account_readings(account: Listed, own: Held, body: Any) -> Observation:
    """Return an account and its pots; the bank's own total is there to be compared."""
    pots = rows(body, "pots")
    main = Reading(account.id, own.asset, own.balance, own.balance, name=account.name)
    readings = [main, *(_pot(account, row) for row in pots)]
    actual = own.balance + sum(row["balance"] for row in pots if _counts(row))
    total = Invariant("total_balance", account.id, own.with_pots, actual)
    return Observation(readings, [total])


def unknown(account: Listed, error: ProviderError) -> Reading:
    """Return an account that did not answer: its amounts are not known."""
    asset = Asset(account.currency, DECIMALS.get(account.currency, 2))
    return Reading(
        account.id, asset, None, None, name=account.name, error=str(error) or error.code
    )


def _pot(account: Listed, row: Any) -> Reading:
    deleted, locked = (flag(row.get(name, False)) for name in ("deleted", "locked"))
    asset = money(row["currency"], account.currency)
    # What a deleted pot held went back to the account; its figure says nothing.
    held = None if deleted else natural(row["balance"])
    return Reading(
        text(row["id"]),
        asset,
        held,
        held,
        name=text(row["name"]),
        kind="pot",
        parent=account.id,
        goal=natural(row.get("goal_amount") or 0) or None,
        closed=deleted,
        can_send=not (deleted or locked),
        can_receive=not deleted,
        details={"type": row.get("type", "default"), "style": row.get("style", "")},
    )


def _counts(row: Any) -> bool:
    return not row["deleted"] and row.get("type", "default") not in OUTSIDE_TOTAL


def receipt(asked: Place, row: Any) -> Receipt:
    """Return what the pot holds after a transfer, if it is the pot that was asked for."""
    asset = Asset(text(row["currency"]), DECIMALS[row["currency"]])
    if row["id"] != asked.external_id:
        raise ValueError(f"Another pot answered: {row['id']}")
    if asked.asset is not None and asset != asked.asset:
        raise ValueError(f"The pot answered in {asset}")
    return Receipt(
        asked.external_id,
        asset=asset,
        balances={asked.external_id: natural(row["balance"])},
    )


def money(currency: Any, expected: str | None = None) -> Asset:
    """Return the asset of a currency; raises ValueError for another than expected."""
    if expected is not None and currency != expected:
        raise ValueError(f"The currency is {currency!r}, not {expected}")
    return Asset(text(currency), DECIMALS[currency])
