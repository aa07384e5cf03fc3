"""Runs and transfers across rows and the network. Nothing here enqueues anything."""

from __future__ import annotations

from .audited import transfers_unlike_audit
from .deciding import NotDecidable, approve_run, cancel_run, resume_run
from .dispatching import dispatch_due_rules, put_schedules_right
from .document import RuleInvalid
from .duplicating import duplicate_rule
from .idle_runs import forget_idle_runs
from .keeping import write_rule
from .planning import preview
from .plans import plan_data
from .proving import prove_connection, to_prove
from .replaying import ReplayError, replay, replay_data
from .resolving import NotWaiting, ReferenceWrong, resolve
from .retiring import archive_rule
from .righting import put_right
from .routes import NoRoute, route
from .rules_as_code import Change, differences, export_rules, import_rules
from .runs import execute_run, reread, start_run
from .shortage import wake_short
from .simulating import simulate, typed_accounts
from .strict_yaml import YamlError
from .sweeping import due_again, due_runs, due_transfers, take_up_unclear, wake
from .switches import is_dry, pause, unpause
from .telling import rule_data
from .terms import holdings, rule_spec
from .together import TOGETHER, execute_runs
from .waking import wake_seers, wake_triggers, wake_webhooks

__all__ = [
    "TOGETHER",
    "Change",
    "NoRoute",
    "NotDecidable",
    "NotWaiting",
    "ReferenceWrong",
    "ReplayError",
    "RuleInvalid",
    "YamlError",
    "approve_run",
    "archive_rule",
    "cancel_run",
    "differences",
    "dispatch_due_rules",
    "due_again",
    "due_runs",
    "due_transfers",
    "duplicate_rule",
    "execute_run",
    "execute_runs",
    "export_rules",
    "forget_idle_runs",
    "holdings",
    "import_rules",
    "is_dry",
    "pause",
    "plan_data",
    "preview",
    "prove_connection",
    "put_right",
    "put_schedules_right",
    "replay",
    "replay_data",
    "reread",
    "resolve",
    "resume_run",
    "route",
    "rule_data",
    "rule_spec",
    "simulate",
    "start_run",
    "take_up_unclear",
    "to_prove",
    "transfers_unlike_audit",
    "typed_accounts",
    "unpause",
    "wake",
    "wake_seers",
    "wake_short",
    "wake_triggers",
    "wake_webhooks",
    "write_rule",
]
