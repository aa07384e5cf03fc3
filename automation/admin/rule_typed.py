"""A stored rule as a person would type it: what its page shows at first."""

from __future__ import annotations

from typing import Any

from accounts.admin import show
from automation import services
from automation.models import Rule, Trigger
from automation.services.trigger_document import HELD_MONEY, TRIGGER_MONEY

from .condition_rows import rows_of
from .line_forms import LEG_AMOUNTS, LEG_SHARES, TriggerFormSet
from .rule_forms import LIMITS, RuleForm


def major(minor: int | None, row: Any) -> str | None:
    """Return an amount in whole units of the asset of `row`."""
    return None if minor is None else show.Asset.parse(row.asset).major(int(minor))


def rule_initial(rule: Rule) -> dict[str, Any]:
    """Return a stored rule as a person types it."""
    known = {name: getattr(rule, name, None) for name in RuleForm.base_fields}
    limits = {f"limit_{name}": major(getattr(rule, name), rule) for name in LIMITS}
    amounts = {n: major(getattr(rule, n), rule) for n in ("round_to", "tolerance")}
    paid = services.rule_data(rule)["pay_cycle"] or {}
    instead = (rule.conditions or {}).get("else", "skip")
    return {
        **(known | limits | amounts),
        "depends_on": list(rule.depends_on.all()),
        "conditions_how": rows_of(rule.conditions)[0],
        "conditions_else": None if instead == "skip" else instead,
        "pay_day": paid.get("day", ""),
        "pay_trigger": paid["trigger"] + 1 if "trigger" in paid else None,
    }


def leg_rows(rule: Rule) -> list[dict[str, Any]]:
    """Return the legs of a stored rule as a person types them."""
    return [
        {
            "account": leg.account_id,
            "accounts": leg.accounts,
            "due": leg.due,
            "multiplier": leg.multiplier,
            "role": leg.role,
            "strategy": leg.strategy,
            "order": leg.order,
            **{name: major(getattr(leg, name), rule) for name in LEG_AMOUNTS},
            **{name: part(getattr(leg, name)) for name in LEG_SHARES},
        }
        for leg in rule.legs.all()
    ]


def part(share) -> str | None:
    """Return a share without the zeros that its column adds."""
    return None if share is None else f"{share.normalize():f}"


def trigger_rows(rule: Rule) -> list[dict[str, Any]]:
    """Return the triggers of a stored rule as a person types them."""
    names = [n for n in TriggerFormSet.form.base_fields if n not in TRIGGER_MONEY]
    return [
        {
            **{name: getattr(trigger, name) for name in names},
            **{name: trigger_amount(trigger, name, rule) for name in TRIGGER_MONEY},
            "account": trigger.account_id,
            "rule": trigger.upstream_id,
            "anchor": trigger.anchor and trigger.anchor.isoformat(),
        }
        for trigger in rule.triggers.all()
    ]


def trigger_amount(trigger: Trigger, name: str, rule: Rule) -> str | None:
    """Return an amount of a trigger in whole units of the asset it is compared with."""
    of = {**dict.fromkeys(HELD_MONEY, trigger.account), "min_moved": trigger.upstream}
    return major(getattr(trigger, name), of.get(name) or rule)
