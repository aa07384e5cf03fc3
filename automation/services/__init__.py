"""Runs and transfers across rows and the network. Nothing here enqueues anything."""

from __future__ import annotations

from .dispatching import dispatch_due_rules, wake_paydays
from .document import RuleInvalid
from .keeping import rule_data, write_rule
from .planning import plan_data, preview
from .routes import NoRoute, route
from .runs import execute_run, start_run
from .sweeping import sweep_unsettled
from .terms import holdings, rule_spec

__all__ = [
    "NoRoute",
    "RuleInvalid",
    "dispatch_due_rules",
    "execute_run",
    "holdings",
    "plan_data",
    "preview",
    "route",
    "rule_data",
    "rule_spec",
    "start_run",
    "sweep_unsettled",
    "wake_paydays",
    "write_rule",
]
