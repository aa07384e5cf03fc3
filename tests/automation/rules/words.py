"""Short ways to say what the tables of these tests are about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from automation.rules import Holding, Leg, Limits, Plan, RuleSpec, plan

NOW = datetime(2026, 1, 30, 9, tzinfo=UTC)
MAIN = "main"


def pot(name: str, available: int | None = 0, **facts: Any) -> Holding:
    """A fresh pot inside the main account."""
    return Holding(
        name,
        name,
        "GBP/2",
        available,
        **{"age_seconds": 0, "kind": "pot", "inside": MAIN, **facts},
    )


def current(available: int | None = 0, **facts: Any) -> Holding:
    """The main account, freshly read."""
    return Holding(MAIN, "Main", "GBP/2", available, **{"age_seconds": 0, **facts})


def leg(account: str, role: str, strategy: str = "", **words: Any) -> Leg:
    """A leg; shares are written as text."""
    for share in ("share", "keep_share", "max_share"):
        if share in words:
            words[share] = Decimal(words[share])
    return Leg(account, role, strategy=strategy, **words)


def rule(kind: str, *legs: Leg, limits: Limits | None = None, **words: Any) -> RuleSpec:
    """A rule over pounds."""
    return RuleSpec("rule-1", "Rule", kind, "GBP/2", legs, limits or Limits(), **words)


def known(*holdings: Holding) -> dict[str, Holding]:
    """Holdings by their account."""
    return {held.account: held for held in holdings}


def planned(spec: RuleSpec, *holdings: Holding, **words: Any) -> Plan:
    """The plan for now."""
    return plan(spec, known(*holdings), now=NOW, **words)


def moved(found: Plan) -> Mapping[str, int]:
    """Amounts by the account that is not the main subject: targets, or sweep sources."""
    return {f"{move.source}>{move.target}": move.amount for move in found.moves}


def said(found: Plan) -> str:
    """The whole trace as one text."""
    return "\n".join(step.text for step in found.trace)
