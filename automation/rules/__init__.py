"""What each kind of rule would move, and when. Pure: data in, data out."""

from __future__ import annotations

from .arithmetic import apportion, part, part_up, split
from .identity import dedupe_id, plan_hash
from .planner import KINDS, plan
from .problems import problems
from .shares import ShareError, parse_share
from .terms import (
    Holding,
    Leg,
    Limits,
    Move,
    Plan,
    Problem,
    RuleError,
    RuleSpec,
    Step,
)

__all__ = [
    "KINDS",
    "Holding",
    "Leg",
    "Limits",
    "Move",
    "Plan",
    "Problem",
    "RuleError",
    "RuleSpec",
    "ShareError",
    "Step",
    "apportion",
    "dedupe_id",
    "parse_share",
    "part",
    "part_up",
    "plan",
    "plan_hash",
    "problems",
    "split",
]
