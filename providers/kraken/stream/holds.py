"""What is on hold of each asset, as far as it follows from the orders that are open."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

REMEMBERED = 20  # sets of open orders of one asset


@dataclass
class Holds:
    """Remembers how much was on hold while exactly these orders were open.

    So an order that comes and goes leaves on hold what was before it, and REST is asked
    only for what was never seen. A fill is told twice, by a report and by an entry of the
    ledger that names it: until both were heard, what is free is not known.
    """

    seen: dict[str, dict[Hashable, int]] = field(default_factory=dict)
    halves: dict[str, set[str]] = field(default_factory=dict)

    def half(self, code: str, fill: str) -> None:
        """Hear of a fill once; the second time it is complete."""
        self.halves.setdefault(code, set()).symmetric_difference_update({fill})

    def forget_halves(self) -> None:
        """Begin anew: REST has told what came of all of them."""
        self.halves.clear()

    def remember(self, code: str, orders: Hashable, held: int) -> None:
        """Note that so many minor units were on hold while these orders were open."""
        known = self.seen.setdefault(code, {})
        known.pop(orders, None)
        known[orders] = held
        while len(known) > REMEMBERED:
            del known[next(iter(known))]

    def of(self, code: str, orders: Hashable) -> int | None:
        """Return what is on hold while these orders are open; None if that is not known."""
        if self.halves.get(code):
            return None
        return self.seen.get(code, {}).get(orders)
