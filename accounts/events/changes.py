"""Whether a balance changed enough to be told; amounts are minor units."""

from __future__ import annotations

from decimal import Decimal, localcontext


def is_enough(
    old: int, new: int, *, least: int | None, percent: Decimal | None
) -> bool:
    """Say whether the change reaches every threshold that is set; without one it never does.

    `percent` is of the old amount; from zero, any change is more than any percentage.
    """
    change = abs(new - old)
    if change == 0 or (least is None and percent is None):
        return False
    if least is not None and change < least:
        return False
    if percent is None:
        return True
    with localcontext(prec=120):  # a uint256 has 78 digits
        return Decimal(change) * 100 >= percent * abs(old)
