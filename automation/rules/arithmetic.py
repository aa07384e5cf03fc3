"""Exact division and bounds: integers in, integers out."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from math import lcm


def part(amount: int, share: Decimal) -> int:
    """Return `share` of `amount`, rounded down; nothing of a debt."""
    above, below = share.as_integer_ratio()
    return max(0, amount) * above // below


def part_up(amount: int, share: Decimal) -> int:
    """Return `share` of `amount`, rounded up; nothing of a debt."""
    above, below = share.as_integer_ratio()
    return -(-max(0, amount) * above // below)


def reserve(
    available: int,
    *,
    keep: int | None,
    keep_share: Decimal | None,
    floor: int | None,
    drop: int = 0,
) -> int:
    """Return what must stay of `available`: the greatest of what a source keeps.

    On an older reading nobody knows what has left since: the floor holds even if that
    was as much as the largest `drop` seen.
    """
    shared = part_up(available, keep_share) if keep_share else 0
    return max(keep or 0, shared, (floor or 0) + drop)


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Divide `amount` by `weights` to the last unit.

    Each share is the exact one rounded down; the units left over go to the largest
    remainders, and to the earlier share where remainders are equal.
    """
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    shares = [amount * weight // total for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda i: amount * weights[i] % total, reverse=True
    )
    for i in by_remainder[: amount - sum(shares)]:
        shares[i] += 1
    return shares


def apportion(base: int, shares: Sequence[Decimal]) -> list[int]:
    """Return each of `shares` of one `base`; together their sum of it, rounded down.

    Units lost by rounding go to the largest remainders, ties to the earlier share.
    """
    if not shares:
        return []
    (one, weights), base = weighed(tuple(shares)), max(0, base)
    whole = base * sum(weights) // one
    parts = [base * weight // one for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda i: base * weights[i] % one, reverse=True
    )
    for i in by_remainder[: whole - sum(parts)]:
        parts[i] += 1
    return parts


@lru_cache(maxsize=4096)
def weighed(shares: tuple[Decimal, ...]) -> tuple[int, tuple[int, ...]]:
    """Return a whole and integer parts of it that stand for `shares` exactly."""
    ratios = [share.as_integer_ratio() for share in shares]
    one = lcm(*(below for _, below in ratios))
    return one, tuple(above * one // below for above, below in ratios)


def lowest(*bounds: int | None) -> int | None:
    """Return the tightest of `bounds`; None does not bind."""
    tightest = None
    for bound in bounds:
        if bound is not None and (tightest is None or bound < tightest):
            tightest = bound
    return tightest


def within(amount: int, *bounds: int | None) -> int:
    """Return `amount` cut to the tightest of `bounds`, never below zero."""
    for bound in bounds:
        if bound is not None and bound < amount:
            amount = bound
    return amount if amount > 0 else 0
