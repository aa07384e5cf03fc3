"""Rules as they are told: what `write_rule` takes, and what nobody can write besides."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from accounts.moneyjson import money
from automation.models import Rule, RuleLeg, Trigger
from automation.rules.trigger_problems import TAKES

from .document import LIMITS, MONEY, READ_ONLY, SECONDS, SHARES
from .pay import told_cycle
from .storing import ALIKE
from .trigger_document import HELD_MONEY, MOVED_MONEY, SEEN_MONEY


def rule_data(rule: Rule) -> dict[str, Any]:
    """Return `rule` as `write_rule` takes it: money as objects, shares as texts.

    Besides, it tells what nobody can write: id, workspace and moments.
    """
    return {
        "id": str(rule.pk),
        "workspace": str(rule.workspace_id),
        **{name: moment(getattr(rule, name)) for name in READ_ONLY[2:]},
        **{name: getattr(rule, name) for name in ALIKE if name != "round_to"},
        **{name: getattr(rule, name) for name in SECONDS},
        "priority": rule.priority,
        "on_short": rule.on_short or None,
        "round_to": told(rule.round_to, rule.asset),
        "approval": rule.approval,
        "tolerance": told(rule.tolerance, rule.asset),
        "depends_on": sorted(str(before.pk) for before in rule.depends_on.all()),
        "conditions": rule.conditions,
        "pay_cycle": told_cycle(rule),
        "limits": {
            name: money(value, rule.asset)
            for name in LIMITS
            if (value := getattr(rule, name)) is not None
        },
        "legs": [leg_data(leg, rule.asset) for leg in rule.all_legs],
        "triggers": [trigger_data(t, rule.asset) for t in rule.triggers.all()],
    }


def moment(value: datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None


def told(value: int | None, asset: str) -> dict[str, str] | None:
    return None if value is None else money(value, asset)


def leg_data(leg: RuleLeg, asset: str) -> dict[str, Any]:
    named = {"accounts": leg.accounts} if leg.accounts else {}
    data: dict[str, Any] = named or {"account": str(leg.account_id)}
    data |= {"role": leg.role, "order": leg.order}
    if leg.strategy:
        data["strategy"] = leg.strategy
    for name in MONEY:
        if (value := getattr(leg, name)) is not None:
            data[name] = money(value, asset)
    for name in SHARES:
        if (share := getattr(leg, name)) is not None:
            text = format(share, "f")
            data[name] = text.rstrip("0").rstrip(".") if "." in text else text
    if leg.due is not None:
        data["due"] = leg.due.isoformat()
    if leg.multiplier is not None:
        data["multiplier"] = leg.multiplier
    return data


def trigger_data(trigger: Trigger, asset: str) -> dict[str, Any]:
    """Return the fields that this kind of trigger takes."""
    data: dict[str, Any] = {"kind": trigger.kind}
    for name in sorted(TAKES[trigger.kind]):
        value = getattr(trigger, "upstream" if name == "rule" else name)
        if value not in (None, ""):
            data[name] = trigger_value(trigger, name, value, asset)
    return data


def trigger_value(trigger: Trigger, name: str, value: Any, asset: str) -> Any:
    """Return one field of a trigger as it is written; money in the asset it is of."""
    if name in SEEN_MONEY:
        return money(value, asset)
    if name in HELD_MONEY:
        return money(value, trigger.account.asset)
    if name in MOVED_MONEY:
        return money(value, trigger.upstream.asset)
    if name in ("account", "rule"):
        return str(value.pk)
    return moment(value) if name == "anchor" else value
