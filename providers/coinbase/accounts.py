"""What Coinbase's answers about accounts mean. Source: docs, "List Accounts"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from providers.base import Permissions, Reading
from providers.money import Asset, MoneyError

from .fields import flag, rows, text

# Balances are told with up to seventeen digits after the point, dollars' too, however
# few the currency or its markets have; no published table bounds them. An account's
# asset is for ever, so one precision that holds them all is used: that of ether.
DECIMALS: Final = 18
# Collateral is kept apart from what can be spent.
FUTURES: Final = frozenset(
    {
        "ACCOUNT_TYPE_PERP_FUTURES",
        "ACCOUNT_PLATFORM_CFM_CONSUMER",
        "ACCOUNT_PLATFORM_INTX",
    }
)


def readings(body: Any) -> list[Reading]:
    """Return the accounts of one page."""
    return [_reading(row) for row in rows(body, "accounts")]


def _reading(row: Mapping[str, Any]) -> Reading:
    """Return one account: it holds what is available and what orders have blocked."""
    asset, closed = Asset.parse(f"{text(row['currency'])}/{DECIMALS}"), _deleted(row)
    about = {
        name: row.get(name) for name in ("type", "platform", "retail_portfolio_id")
    }
    total: int | None = None
    available: int | None = None
    hold, error = 0, ""
    try:
        hold = _amount(row.get("hold"), asset)
        available = _amount(row.get("available_balance"), asset)
        total = available + hold
    except MoneyError as wrong:  # it says nothing of the other accounts
        hold, error = 0, str(wrong)
    usable = not closed and flag(row.get("active", True))
    return Reading(
        text(row["uuid"]),
        asset,
        total,
        available,
        hold,
        name=text(row.get("name") or asset.code),
        kind="futures" if FUTURES & {str(v) for v in about.values()} else "exchange",
        closed=closed,
        can_send=usable,
        can_receive=usable,
        error=error,
        details={name: str(value) for name, value in about.items() if value},
    )


def _deleted(row: Mapping[str, Any]) -> bool:
    when = row.get("deleted_at")
    return when is not None and bool(text(when))


def _amount(money: Any, asset: Asset) -> int:
    if money is None:
        raise MoneyError("An amount is not told")
    if money["currency"] != asset.code:
        raise ValueError(f"An account of {asset.code} holds {money['currency']!r:.60}")
    value = money["value"]
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is no decimal number")
    return asset.minor(value)


def permissions(body: Any) -> Permissions:
    """Return what a key may do. Source: docs, "Get API Key Permissions"."""
    kind, portfolio = text(body["portfolio_type"]), text(body["portfolio_uuid"])
    moving = flag(body["can_transfer"])
    return Permissions(
        read=flag(body["can_view"]),
        trade=flag(body["can_trade"]),
        withdraw=moving,
        transfer=moving,
        notes=(f"It sees one portfolio: {portfolio} ({kind.lower()})",),
    )
