"""What each kind of rule would move, and when. Pure: data in, data out."""

from __future__ import annotations

from .arithmetic import apportion, part, part_up, split
from .calendar import CalendarError
from .cron import CronError
from .identity import dedupe_id
from .localtime import ZoneError
from .payday import MovementSeen, payday
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
from .trigger_problems import trigger_problems
from .trigger_terms import Occurrence, TriggerError, TriggerSpec
from .triggers import next_occurrence, occurrences

__all__ = [
    "KINDS",
    "CalendarError",
    "CronError",
    "Holding",
    "Leg",
    "Limits",
    "Move",
    "MovementSeen",
    "Occurrence",
    "Plan",
    "Problem",
    "RuleError",
    "RuleSpec",
    "ShareError",
    "Step",
    "TriggerError",
    "TriggerSpec",
    "ZoneError",
    "apportion",
    "dedupe_id",
    "next_occurrence",
    "occurrences",
    "parse_share",
    "part",
    "part_up",
    "payday",
    "plan",
    "problems",
    "split",
    "trigger_problems",
]
