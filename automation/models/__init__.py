"""What the owner wants, each occurrence of it, and every provider call it became."""

from __future__ import annotations

from .cover import Cover
from .resolution import Resolution
from .rule import Rule, RuleLeg, Trigger
from .run import RuleRun
from .transfer import Transfer

__all__ = [
    "Cover",
    "Resolution",
    "Rule",
    "RuleLeg",
    "RuleRun",
    "Transfer",
    "Trigger",
]
