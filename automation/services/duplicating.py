"""A second rule like another: switched off, and with no history of its own."""

from __future__ import annotations

from automation.models import Rule

from .keeping import write_rule
from .telling import rule_data

LONGEST = 200
MARK = "Copy of "


def duplicate_rule(rule: Rule, *, name: str | None = None, user=None) -> Rule:
    """Return a disabled copy of `rule`, called `name` or a copy of it.

    Also of an archived one. Raises RuleInvalid where today's accounts refuse it.
    """
    told = rule_data(rule) | {"enabled": False, "name": name or copied(rule.name)}
    return write_rule(rule.workspace, told, user=user)


def copied(name: str) -> str:
    return f"{MARK}{name}"[:LONGEST]
