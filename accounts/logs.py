"""The log line of a balance: whose, how much, from where and how old."""

from __future__ import annotations

import logging

import structlog

from providers.money import Asset, pretty

log = structlog.get_logger("accounts.balances")
_levels = logging.getLogger("accounts.balances")


def balance_line(
    prefix: str,
    account: str,
    minor: int | None,
    asset: Asset | str,
    *,
    source: str = "live",
    age: float = 0,
    level: int = logging.INFO,
) -> None:
    """Log `[PREFIX] live balance pot_1 50000 (£500.00), 2 s old`; None is unknown."""
    if not _levels.isEnabledFor(level):
        return
    unit = asset if isinstance(asset, Asset) else Asset.parse(asset)
    amount = "unknown" if minor is None else f"{minor} ({pretty(minor, unit)})"
    log.log(
        level,
        f"[{prefix}] {source} balance {account} {amount}, {max(0, round(age))} s old",
    )


def says(level: int) -> bool:
    """Return whether balance lines of `level` are written at all."""
    return _levels.isEnabledFor(level)
