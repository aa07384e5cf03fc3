"""What a workspace has set about checks, and which of it is meant for an account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from providers.money import Asset

from .drift import USUAL, Limits
from .rules import Rule, minor


@dataclass(frozen=True, slots=True)
class CheckRow:
    """What is set about one rule; an empty `kind` or `asset` stands for every one."""

    rule: str
    kind: str = ""
    asset: str = ""  # a code, such as GBP
    enabled: bool = True
    severity: str = ""  # empty: the rule's own
    threshold: Decimal | None = None  # None: the rule's own


@dataclass(frozen=True, slots=True)
class DriftRow:
    """Limits of one account, one asset, or, with neither, of a whole workspace."""

    account: str = ""
    asset: str = ""
    least: Decimal = Decimal(0)  # whole units
    percent: Decimal = USUAL.percent
    high: Decimal = USUAL.high
    critical: Decimal = USUAL.critical
    changes: bool = False
    correction: str = USUAL.correction
    protect: bool = True
    clean_syncs: int = USUAL.clean_syncs


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for one rule and one account in the end."""

    enabled: bool
    severity: str
    threshold: Decimal


def effective(
    rule: Rule, rows: Iterable[CheckRow], kind: str, asset: Asset
) -> Effective:
    """Return what holds: the row for kind and asset, then asset, then kind, then all.

    A row fills in only what a nearer one leaves open; on or off is the nearest one's.
    """
    meant = sorted(
        (
            row
            for row in rows
            if row.rule == rule.name
            and row.kind in ("", kind)
            and row.asset in ("", asset.code)
        ),
        key=lambda row: (row.asset != "", row.kind != ""),
        reverse=True,
    )
    severities = [row.severity for row in meant if row.severity]
    thresholds = [row.threshold for row in meant if row.threshold is not None]
    return Effective(
        _is_on(rule, meant, kind),
        severities[0] if severities else rule.severity,
        thresholds[0] if thresholds else rule.usual(asset, kind),
    )


def _is_on(rule: Rule, nearest_first: Sequence[CheckRow], kind: str) -> bool:
    if kind in rule.unless:
        named = [row.enabled for row in nearest_first if row.kind == kind]
        return bool(named) and named[0]
    return nearest_first[0].enabled if nearest_first else True


def limits_of(rows: Iterable[DriftRow], account: str, asset: Asset) -> Limits:
    """Return the limits of an account: its own, its asset's, or the workspace's."""
    meant = [
        row
        for row in rows
        if row.account == account or (not row.account and row.asset in ("", asset.code))
    ]
    if not meant:
        return USUAL
    row = max(meant, key=lambda row: (row.account != "", row.asset != ""))
    return Limits(
        minor(row.least, asset),
        row.percent,
        row.high,
        row.critical,
        row.changes,
        row.correction,
        row.protect,
        row.clean_syncs,
    )
