"""Payday: a salary is seen among the movements of an account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .triggers import Occurrence, TriggerSpec


@dataclass(frozen=True, slots=True)
class MovementSeen:
    """A movement that the provider reports; money in is positive."""

    external_id: str
    amount: int
    asset: str
    created: datetime
    settled: datetime | None = None
    declined: bool = False
    description: str = ""
    counterparty: str = ""
    merchant: str = ""
    category: str = ""
    pot: str = ""  # the pot it came from or went to, for a transfer between pots


def payday(
    trigger: TriggerSpec,
    movements: Sequence[MovementSeen],
    *,
    asset: str,
    now: datetime,
    last_fired: datetime | None = None,
) -> Occurrence | None:
    """Return the occurrence of the newest salary, or None when there is none.

    `last_fired` is when this trigger last started a run that succeeded. The key is the
    movement's own, so that one salary is one occurrence however often it is seen.
    """
    if last_fired and now - last_fired < timedelta(days=trigger.cooldown_days):
        return None
    since = now - timedelta(days=trigger.look_back_days)
    found = [
        seen
        for seen in movements
        if seen.asset == asset
        and since <= seen.created
        and (last_fired is None or last_fired < seen.created)
        and is_salary(trigger, seen)
    ]
    if not found:
        return None
    salary = max(found, key=lambda seen: (seen.created, seen.external_id))
    reason = f"Payday: {salary.counterparty or salary.description or 'money in'}"
    return Occurrence(f"payday:{salary.external_id}", now.astimezone(UTC), reason)


def is_salary(trigger: TriggerSpec, seen: MovementSeen) -> bool:
    """Tell whether a movement is money in of the right size, from the right place."""
    if seen.declined or seen.pot or seen.amount <= 0:
        return False
    if seen.amount < (trigger.min_amount or 0):
        return False
    if trigger.max_amount is not None and seen.amount > trigger.max_amount:
        return False
    return looks_right(trigger, seen)


def looks_right(trigger: TriggerSpec, seen: MovementSeen) -> bool:
    """Tell whether pattern, merchant and category fit, whatever their case."""
    text = f"{seen.description}\n{seen.counterparty}\n{seen.merchant}".casefold()
    category = trigger.category.casefold()
    return (
        trigger.pattern.casefold() in text
        and trigger.merchant.casefold() in seen.merchant.casefold()
        and (not category or category == seen.category.casefold())
    )
