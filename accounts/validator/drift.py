"""How grave a difference between two figures is, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext

from .sources import EXACT

AUTO, ASK, NEVER = "auto", "ask", "never"
DUST = 100  # minor units: less than that is never more than medium
# What people call the severities of a difference.
WORDS = {"info": "low", "warning": "medium", "error": "high", "critical": "critical"}


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on a difference counts, in minor units of the account's asset.

    It is told from `least` and `percent` on, both: below them it is recorded all the
    same. `high` and `critical` are percentages. `changes`: every change of the balance
    is judged too, and `correction` says what becomes of one that counts.
    """

    least: int = 0
    percent: Decimal = Decimal(0)
    high: Decimal = Decimal(1)
    critical: Decimal = Decimal(5)
    changes: bool = False
    correction: str = AUTO
    protect: bool = True
    clean_syncs: int = 3


USUAL = Limits()


def share(expected: int, actual: int) -> Decimal | None:
    """Return the difference in percent of what was expected; None from zero."""
    if expected == 0:
        return None
    with localcontext(prec=EXACT):
        return Decimal(abs(actual - expected)) * 100 / abs(expected)


def grade(expected: int, actual: int, limits: Limits = USUAL) -> str:
    """Return how grave a difference is: info, warning, error or critical.

    From zero, any difference is more than every percentage. Two figures that agree
    are of no gravity, which is info; a few of the smallest units are never grave.
    """
    gap = abs(actual - expected)
    if gap == 0 or gap < limits.least or not _reaches(gap, expected, limits.percent):
        return "info"
    if gap < DUST:
        return "warning"
    if _reaches(gap, expected, limits.critical):
        return "critical"
    return "error" if _reaches(gap, expected, limits.high) else "warning"


def _reaches(gap: int, expected: int, percent: Decimal) -> bool:
    with localcontext(prec=EXACT):
        return Decimal(gap) * 100 >= percent * abs(expected)
