"""Whether two sources say the same, counting what only one of them knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

EXACT = 160  # digits: a uint256 times a percentage


@dataclass(frozen=True, slots=True)
class Difference:
    """What two sources say of one asset, in minor units; None: it is missing there."""

    name: str
    first: int | None
    second: int | None


def differ(first: int, second: int, percent: Decimal) -> bool:
    """Say whether two amounts are further apart than `percent` (1 is one percent).

    Measured by the larger one, so that it does not matter which source is asked first.
    """
    if first == second:
        return False
    with localcontext(prec=EXACT):
        return abs(first - second) * 100 > percent * max(abs(first), abs(second))


def compare(
    first: Mapping[str, int], second: Mapping[str, int], percent: Decimal = Decimal(0)
) -> Iterator[Difference]:
    """Yield, by name, what two sources do not agree on; what one leaves out, too."""
    for name in sorted(first.keys() | second.keys()):
        one, other = first.get(name), second.get(name)
        if one is None or other is None or differ(one, other, percent):
            yield Difference(name, one, other)
