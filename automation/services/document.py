"""A rule as JSON says it, read strictly: every mistake is told, nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from automation.rules import Leg, Limits, Problem, RuleSpec
from automation.rules.triggers import TriggerSpec

from .fields import Reader
from .trigger_document import read_trigger

MONEY = ("amount", "keep", "floor", "target", "cap", "min_move", "low", "high")
SHARES = ("share", "keep_share", "max_share")
LIMITS = tuple(f.name for f in fields(Limits) if not f.name.startswith("spent"))
SECONDS = {
    "max_staleness_seconds": (300, 0, 900),
    "max_lateness_seconds": (21600, 0, 2_678_400),
    "cooldown_seconds": (0, 0, 31_622_400),
    "plan_ttl_seconds": (21600, 60, 2_678_400),
}
# In the contract, carried out later: refused by name unless they say nothing.
LATER = {
    "conditions": (None,),
    "pay_cycle": (None,),
    "depends_on": (None, []),
    "notice_seconds": (None, 0),
    "approval": (None, "never"),
    "tolerance": (None,),
}
LEG_LATER = ("accounts", "due", "unit", "multiplier")


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
    later(top, LATER)
    legs = top.rows("legs")
    asset = top.text("asset", longest=24) or first_asset(legs, asset_of)
    seconds = {name: top.number(name, *bounds) or 0 for name, bounds in SECONDS.items()}
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
    )
    triggers = [
        read_trigger(row, f"triggers.{i}", asset, top, asset_of, rule_asset)
        for i, row in enumerate(top.rows("triggers"))
    ]
    priority = top.number("priority", 100, 0, 1_000_000) or 0
    return Document(spec, triggers, priority, seconds, problems)


def named(top: Reader) -> str:
    name = top.text("name").strip()
    if not name and isinstance(top.data.get("name", ""), str):
        top.note("name", "missing_name", "A rule needs a name")
    return name


def first_asset(legs: list[Any], asset_of: Callable[[Any], str]) -> str:
    """Return the asset of the first account that is known."""
    rows = (leg for leg in legs if isinstance(leg, Mapping))
    return next(filter(None, (asset_of(leg.get("account")) for leg in rows)), "")


def later(reader: Reader, neutral: Mapping[str, tuple[Any, ...]]) -> None:
    for name, nothing in neutral.items():
        if name in reader.data and reader.data[name] not in nothing:
            reader.note(name, "unsupported", f"{name} is not supported yet")


def read_limits(top: Reader, asset: str) -> Limits:
    data = top.data.get("limits")
    if data is None:
        return Limits()
    reader = Reader(data, "limits", top.problems)
    reader.only(set(LIMITS))
    return Limits(**{name: reader.money(name, asset) for name in LIMITS})


def read_leg(data: Any, at: str, asset: str, top: Reader) -> Leg:
    reader = Reader(data, at, top.problems)
    reader.only({"account", "role", "order", "strategy", *MONEY, *SHARES, *LEG_LATER})
    later(reader, dict.fromkeys(LEG_LATER, (None,)))
    if "accounts" not in reader.data and "account" not in reader.data:
        reader.note("account", "missing_account", "A leg names an account")
    return Leg(
        account=reader.text("account").lower(),
        role=reader.text("role", longest=20),
        order=reader.number("order", 0, 0, 1_000_000) or 0,
        strategy=reader.text("strategy", longest=20),
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
    *SECONDS,
    *LATER,
}
