"""Judges readings by named rules, without asking or storing anything."""

from __future__ import annotations

from .checks import DEFAULTS, Checks, checks_of
from .drift import ASK, AUTO, NEVER, USUAL, WORDS, Limits, grade, share
from .rules import BLOCKING, MAY_OWE, RULES, Rule
from .settings import CheckRow, DriftRow, effective
from .sources import Difference, compare

__all__ = [
    "ASK",
    "AUTO",
    "BLOCKING",
    "DEFAULTS",
    "MAY_OWE",
    "NEVER",
    "RULES",
    "USUAL",
    "WORDS",
    "CheckRow",
    "Checks",
    "Difference",
    "DriftRow",
    "Limits",
    "Rule",
    "checks_of",
    "compare",
    "effective",
    "grade",
    "share",
]
