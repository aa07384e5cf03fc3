"""What Binance's answers about accounts mean. Amounts are decimals written as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from providers.base import Permissions, Reading
from providers.fields import flag, text
from providers.money import ASSET, Asset, TooPrecise

DECIMALS: Final = 8  # of every asset: "baseAssetPrecision", "quoteAssetPrecision"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = 253_402_300_799_999  # milliseconds: the end of the year 9999


def moment(value: Any) -> datetime:
    """Return the moment of milliseconds since 1970; raises TypeError, ValueError."""
    return EPOCH + timedelta(milliseconds=natural(value, LATEST))


def natural(value: Any, most: int = 2**63 - 1) -> int:
    """Return a whole number that is not below zero; True and 1.0 are none."""
    if type(value) is not int:
        raise TypeError(f"{value!r:.60} is not a whole number")
    if not 0 <= value <= most:
        raise ValueError(f"{value} is out of range")
    return value


def rows_of(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError("This is no list")
    return value


def time_told(body: Any) -> datetime:
    return moment(body["serverTime"])


# -- assets


def code_of(asset: Any) -> str:
    """Return the code of an asset as balsync writes it; some are not in ASCII.

    Those are spelled in Punycode (RFC 3492), from which the name can be read again.
    """
    name = text(asset)
    code = name if name.isascii() else "xn--" + name.encode("punycode").decode()
    if not ASSET.fullmatch(f"{code}/{DECIMALS}"):
        raise ValueError(f"{name!r:.60} is no name of an asset")
    return code


def asset_of(name: Any) -> Asset:
    return Asset(code_of(name), DECIMALS)


def amount(asset: Asset, value: Any) -> int:
    """Return an amount that is not below zero in minor units; only text is one."""
    units = asset.minor(text(value))
    if units < 0:
        raise ValueError(f"There cannot be {value} {asset.code}")
    return units


# -- accounts


def account_id(owner: str, code: str) -> str:
    return f"{owner}:{code}"


def owner_of(network: str, segment: str, account: str) -> str:
    """Return how the external ids of one account at Binance begin."""
    return ":".join(part for part in (network, segment, account) if part)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that one segment holds. `changed`: when it last did, in their milliseconds."""

    readings: Sequence[Reading]
    owner: str = ""  # how the external ids of its accounts begin
    changed: int = 0


def spot_snapshot(network: str, body: Any) -> Snapshot:
    """Return what is held. Source: rest-api.md, "Account information"."""
    if body["accountType"] != "SPOT":
        raise ValueError(f"{body['accountType']!r:.40} is no spot account")
    owner = owner_of(network, "spot", f"{natural(body['uid'])}")
    found = [spot_reading(owner, row) for row in rows_of(body["balances"])]
    return Snapshot(_once(found), owner, natural(body["updateTime"], LATEST))


def spot_reading(
    owner: str,
    row: Mapping[str, Any],
    names: tuple[str, str, str] = ("asset", "free", "locked"),
    as_of: datetime | None = None,
) -> Reading:
    """Return one asset: what is locked is in open orders, or lent to other services.

    With more decimals than documented its amounts are not known, and all others are.
    """
    name, free, locked = (row[key] for key in names)
    asset = asset_of(name)
    account = Reading(
        account_id(owner, asset.code),
        asset,
        None,
        None,
        name=f"{name} (spot)",
        kind="exchange",
        as_of=as_of,
    )
    try:
        available, held = amount(asset, free), amount(asset, locked)
    except TooPrecise as error:
        return replace(account, error=str(error))
    total = available + held
    return replace(account, total=total, available=available, held=held)


def futures_snapshot(network: str, body: Any) -> Snapshot:
    """Return the wallets of futures. Source: "Futures Account Balance V3".

    The total is the wallet's balance, without profit that is not realised; available is
    what may be taken out, and the rest is margin.
    """
    rows = rows_of(body)
    if not rows:
        raise ValueError("No wallet is listed, not even an empty one")
    found = [_futures_reading(network, row) for row in rows]
    return Snapshot([r for r in _once(found) if r.total != 0 or r.held])


def _futures_reading(network: str, row: Mapping[str, Any]) -> Reading:
    owner = owner_of(network, "futures", text(row["accountAlias"]))
    asset = asset_of(row["asset"])
    account = Reading(
        account_id(owner, asset.code),
        asset,
        None,
        None,
        name=f"{row['asset']} (futures)",
        kind="futures",
    )
    try:
        total = asset.minor(text(row["balance"]))
        free = amount(asset, row["maxWithdrawAmount"])
    except TooPrecise as error:
        return replace(account, error=str(error))
    return replace(account, total=total, available=free, held=max(0, total - free))


def _once(readings: Sequence[Reading]) -> Sequence[Reading]:
    if len({reading.external_id for reading in readings}) < len(readings):
        raise ValueError("An asset is listed twice")
    return readings


# -- keys


def permissions_of(body: Any) -> Permissions:
    """Return what a key may do. Source: "Get API Key Permission"."""
    futures = flag(body["enableFutures"])
    moves = flag(body["enableInternalTransfer"])
    universal = flag(body["permitsUniversalTransfer"])
    may_trade = flag(body["enableSpotAndMarginTrading"]) or futures
    notes = ["Futures may be traded with it."] if futures else []
    return Permissions(
        read=flag(body["enableReading"]),
        trade=may_trade,
        withdraw=flag(body["enableWithdrawals"]),
        transfer=moves or universal,
        only_from_some_addresses=flag(body["ipRestrict"]),
        notes=notes,
    )


def nothing_told(body: Any) -> Permissions:
    """Return what an account that can be read says of its key where none is described."""
    flag(body["canTrade"])
    return Permissions(
        read=True,
        notes=["The test network does not tell what a key may do beside reading."],
    )
