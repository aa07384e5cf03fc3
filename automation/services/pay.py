"""When the owner of a rule is paid: how a document says it, and how a row keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automation.models import Rule, Trigger
from automation.rules.terms import PayCycle
from automation.rules.triggers import TriggerSpec
from automation.schedules import trigger_spec

from .fields import Reader


def read_pay_cycle(top: Reader, triggers: Sequence[TriggerSpec]) -> PayCycle | None:
    """Return the pay cycle of a document: a day, or one of the rule's own triggers."""
    data = top.data.get("pay_cycle")
    if data is None:
        return None
    reader = Reader(data, "pay_cycle", top.problems)
    reader.only({"day", "trigger"})
    day = reader.label("day")
    index = reader.number("trigger", None, 0, 99)
    if index is None:
        return PayCycle(day)
    if index >= len(triggers):
        reader.note("trigger", "unknown_trigger", "The rule has no such trigger")
        return None
    return PayCycle(day, triggers[index])


def kept_cycle(
    cycle: PayCycle | None, wanted: Sequence[TriggerSpec], rows: Sequence[Trigger]
) -> dict[str, str] | None:
    """Return a pay cycle as a row keeps it; `rows` are the triggers `wanted` became.

    A trigger is kept by its id: its place may change.
    """
    if cycle is None:
        return None
    if cycle.trigger is None:
        return {"day": cycle.day}
    row = next(r for w, r in zip(wanted, rows, strict=True) if w is cycle.trigger)
    return {"trigger": str(row.pk)}


def pay_trigger(rule: Rule) -> Trigger | None:
    """Return the trigger that says when its owner is paid, if one does."""
    wanted = (rule.pay_cycle or {}).get("trigger")
    return next((t for t in rule.triggers.all() if str(t.pk) == wanted), None)


def pay_cycle(rule: Rule) -> PayCycle | None:
    """Return the pay cycle of a stored rule."""
    if rule.pay_cycle is None:
        return None
    if day := rule.pay_cycle.get("day"):
        return PayCycle(day)
    trigger = pay_trigger(rule)
    return PayCycle(trigger=trigger_spec(trigger)) if trigger is not None else None


def told_cycle(rule: Rule) -> dict[str, Any] | None:
    """Return the pay cycle as `read_pay_cycle` takes it."""
    if rule.pay_cycle is None or "day" in rule.pay_cycle:
        return rule.pay_cycle
    wanted = rule.pay_cycle["trigger"]
    ids = [str(trigger.pk) for trigger in rule.triggers.all()]
    return {"trigger": ids.index(wanted)} if wanted in ids else None
