"""A rule as JSON says it, read strictly: every mistake is told, nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from automation.models import Rule
from automation.rules import Leg, Limits, Problem, RuleSpec
from automation.rules.triggers import TriggerSpec

from .condition_document import read_conditions
from .fields import Reader
from .pay import read_pay_cycle
from .trigger_document import read_trigger

MONEY = (
    *("amount", "keep", "floor", "target", "cap", "min_move", "low", "high", "unit"),
)
SHARES = ("share", "keep_share", "max_share")
LIMITS = tuple(f.name for f in fields(Limits) if not f.name.startswith("spent"))
SECONDS = {  # by default, at least, at most
    # What was read just now is a second old, for ages are rounded up.
    "max_staleness_seconds": (300, 1, 900),
    "max_lateness_seconds": (21600, 60, 2_678_400),
    "cooldown_seconds": (0, 0, 31_622_400),
    "plan_ttl_seconds": (21600, 60, 2_678_400),
    "notice_seconds": (0, 0, 604_800),
}


class RuleInvalid(ValueError):
    """This rule cannot be kept as it is written."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.field}: {p.message}" for p in problems))


@dataclass
class Document:
    """What was understood of a rule, and what was not."""

    spec: RuleSpec
    triggers: list[TriggerSpec]
    priority: int
    seconds: dict[str, int]
    approval: str = "never"
    tolerance: int | None = None
    depends_on: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)


def read_rule(
    data: Any,
    asset_of: Callable[[Any], str],
    *,
    rule_asset: Callable[[Any], str],
    id: str = "",
) -> Document:
    """Return what `data` says. `asset_of` tells the asset of an account's id.

    `rule_asset` tells that of another rule's; both answer "" to what they do not know.
    """
    problems: list[Problem] = []
    top = Reader(data, "", problems)
    top.only(KNOWN)
    legs = top.rows("legs")
    asset = top.text("asset", longest=24) or first_asset(legs, asset_of)
    seconds = {name: top.number(name, *bounds) or 0 for name, bounds in SECONDS.items()}
    triggers = [
        read_trigger(row, f"triggers.{i}", asset, top, asset_of, rule_asset)
        for i, row in enumerate(top.rows("triggers"))
    ]
    spec = RuleSpec(
        id=id,
        name=named(top),
        kind=top.text("kind", longest=20),
        asset=asset,
        legs=tuple(
            read_leg(leg, f"legs.{i}", asset, top) for i, leg in enumerate(legs)
        ),
        limits=read_limits(top, asset),
        timezone=top.text("timezone", "Europe/London", longest=60),
        enabled=top.flag("enabled", True),
        rest=top.text("rest", "redistribute"),
        on_stale=top.text("on_stale", "skip"),
        max_staleness_seconds=seconds["max_staleness_seconds"],
        on_short=top.text("on_short") or None,
        round_to=top.money("round_to", asset),
        conditions=read_conditions(top),
        pay_cycle=read_pay_cycle(top, triggers),
    )
    return Document(
        spec,
        triggers,
        priority=top.number("priority", 100, 0, 1_000_000) or 0,
        seconds=seconds,
        approval=read_approval(top),
        tolerance=top.money("tolerance", asset),
        depends_on=read_depends_on(top),
        problems=problems,
    )


def read_approval(top: Reader) -> str:
    approval = top.text("approval", Rule.Approval.NEVER)
    if approval not in Rule.Approval.values:
        known = ", ".join(Rule.Approval.values)
        top.note("approval", "unknown_choice", f"{approval!r} is none of {known}")
    return approval


def read_depends_on(top: Reader) -> tuple[str, ...]:
    """Return the ids of the rules that must have gone before, each once."""
    if top.data.get("depends_on") is None:
        return ()
    rows = top.rows("depends_on")
    for index, row in enumerate(rows):
        if not isinstance(row, str):
            at = f"depends_on.{index}"
            top.note(at, "invalid", "The id of a rule is expected")
    return tuple(dict.fromkeys(r.lower() for r in rows if isinstance(r, str)))


def named(top: Reader) -> str:
    name = top.text("name").strip()
    if not name and isinstance(top.data.get("name", ""), str):
        top.note("name", "missing_name", "A rule needs a name")
    return name


def first_asset(legs: list[Any], asset_of: Callable[[Any], str]) -> str:
    """Return the asset of the first account that is known."""
    rows = (leg for leg in legs if isinstance(leg, Mapping))
    return next(filter(None, (asset_of(leg.get("account")) for leg in rows)), "")


def read_limits(top: Reader, asset: str) -> Limits:
    data = top.data.get("limits")
    if data is None:
        return Limits()
    reader = Reader(data, "limits", top.problems)
    reader.only(set(LIMITS))
    return Limits(**{name: reader.money(name, asset) for name in LIMITS})


def read_leg(data: Any, at: str, asset: str, top: Reader) -> Leg:
    reader = Reader(data, at, top.problems)
    reader.only({*LEG_WORDS, *MONEY, *SHARES})
    accounts = reader.text("accounts", longest=20)
    if not accounts and reader.data.get("account") is None:
        reader.note("account", "missing_account", "A leg names an account")
    return Leg(
        account=reader.text("account").lower(),
        role=reader.text("role", longest=20),
        order=reader.number("order", 0, 0, 1_000_000) or 0,
        strategy=reader.text("strategy", longest=20),
        accounts=accounts,
        due=reader.day("due"),
        multiplier=reader.number("multiplier", None, 1, 100),
        **{name: reader.money(name, asset) for name in MONEY},
        **{name: reader.share(name) for name in SHARES},
    )


# What `rule_data` tells besides; who sends it back changes nothing by it.
READ_ONLY = (
    "id",
    "workspace",
    "next_due_at",
    "last_success_at",
    "archived_at",
    "created",
    "updated",
)
KNOWN = {
    *READ_ONLY,
    *("name", "kind", "enabled", "priority", "timezone", "asset", "legs", "triggers"),
    *("limits", "rest", "on_stale", "on_short", "round_to"),
    *("approval", "tolerance", "depends_on", "conditions", "pay_cycle"),
    *SECONDS,
}
LEG_WORDS = frozenset(
    {"account", "accounts", "role", "order", "strategy", "due", "multiplier"}
)
