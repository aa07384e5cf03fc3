"""What open orders hold, worked out from their reports, as far as REST has proved it.

How Kraken works out what an order holds is not documented. So it is believed only for a
side (buying or selling) of which REST told the very same sum while an order of it was
open, and no longer from the first time that REST told another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING
from typing import Any

from providers.money import Asset

from ..names import market_called
from ..replies import exact

Row = Mapping[str, Any]


@dataclass
class Holds:
    """Follows the orders in `rows`, which others keep up to date."""

    rows: Mapping[str, Row]
    proven: set[str] = field(default_factory=set)  # sides
    disproved: set[str] = field(default_factory=set)  # sides, for good
    odd: set[str] = field(default_factory=set)  # assets held by something else, too

    def of(self, asset: Asset) -> int | None:
        """Return what is on hold of an asset, in minor units; None where it is not sure."""
        sides = self._sides(asset.code)
        if asset.code in self.odd or not sides <= self.proven - self.disproved:
            return None
        return self._sum(asset)

    def compare(self, asset: Asset, told: int) -> None:
        """Learn from what REST told of an asset whose orders did not change meanwhile."""
        sides, same = self._sides(asset.code), self._sum(asset) == told
        if not same:
            self.odd.add(asset.code)
            self.disproved |= sides
        elif len(sides) == 1:
            self.proven |= sides

    def _sides(self, code: str) -> set[str]:
        return {row["side"] for row in self.rows.values() if _holds(row) == code}

    def _sum(self, asset: Asset) -> int | None:
        """Return what all orders hold together; None if one of them has no limit."""
        found = 0
        for row in self.rows.values():
            if _holds(row) != asset.code:
                continue
            left = exact(row["order_qty"]) - exact(row.get("cum_qty", 0))
            if row["side"] == "buy":
                if not row.get("limit_price"):
                    return None
                left *= exact(row["limit_price"])
            scaled = left.scaleb(asset.decimals)
            found += int(scaled.to_integral_value(ROUND_CEILING))
        return found


def _holds(row: Row) -> str:
    """Return which asset an order holds; those on margin hold none."""
    if row.get("margin"):
        return ""
    market = market_called(row["symbol"])
    return market.base if row["side"] == "sell" else market.quote


@dataclass
class Halves:
    """Fills that one channel has told of, and the other not yet."""

    waiting: dict[tuple[str, str], Any] = field(default_factory=dict)
    ordered: set[tuple[str, str]] = field(default_factory=set)  # told by executions

    def meet(self, code: str, trade: str, now: Any, *, ordered: bool) -> None:
        """Take note that a channel told of a trade; the other one may have before."""
        key = (code, trade)
        if key in self.waiting and (key in self.ordered) != ordered:
            del self.waiting[key]
            self.ordered.discard(key)
        elif key not in self.waiting:
            self.waiting[key] = now
            if ordered:
                self.ordered.add(key)

    def open(self, code: str) -> bool:
        """Say whether a fill of this asset is known by halves only."""
        return any(known == code for known, _ in self.waiting)

    def late(self, before: Any) -> set[str]:
        """Return assets whose other half did not come, and wait no more for it."""
        found = {key for key, since in self.waiting.items() if since < before}
        for key in found:
            del self.waiting[key]
            self.ordered.discard(key)
        return {code for code, _ in found}

    def clear(self) -> None:
        self.waiting.clear()
        self.ordered.clear()
