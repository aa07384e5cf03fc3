"""What is seen among the movements of an account: a salary, or any transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .localtime import zone_of
from .trigger_terms import Occurrence, TriggerSpec

AHEAD = timedelta(days=1)  # by which banks date what they have booked


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
    account: str = ""
    ours: bool = False  # a transfer that a rule made


def payday(
    trigger: TriggerSpec,
    movements: Sequence[MovementSeen],
    *,
    asset: str,
    now: datetime,
    last_fired: datetime | None = None,
    zone: str = "UTC",
) -> Occurrence | None:
    """Return the occurrence of the newest salary, or None when there is none.

    `last_fired` is when the salary was paid whose run last succeeded: another counts
    from the local day `cooldown_days` later. The key is the movement's own, so that
    one salary is one occurrence however often it is seen. One that is dated in the
    future is no salary before its day: the next would come before it.
    """
    since = now - timedelta(days=trigger.look_back_days)
    found = [
        seen
        for seen in movements
        if seen.asset == asset
        and since <= seen.created <= now + AHEAD
        and is_salary(trigger, seen)
        and not of_same_cycle(trigger, seen, last_fired, zone)
    ]
    if not found:
        return None
    salary = max(found, key=lambda seen: (seen.created, seen.external_id))
    return Occurrence(
        f"payday:{salary.external_id}",
        now.astimezone(UTC),
        f"Payday: {told(salary)}",
        amount=salary.amount,
        happened=salary.created,
    )


def of_same_cycle(
    trigger: TriggerSpec, seen: MovementSeen, last: datetime | None, zone: str
) -> bool:
    """Tell whether a salary belongs to the pay cycle that has had its payday."""
    if last is None:
        return False
    here = zone_of(zone)
    days = seen.created.astimezone(here).date() - last.astimezone(here).date()
    return seen.created <= last or days < timedelta(days=trigger.cooldown_days)


def is_salary(trigger: TriggerSpec, seen: MovementSeen) -> bool:
    """Tell whether a movement is money in of the right size, from the right place."""
    return seen.amount > 0 and matches(trigger, seen)


def transactions(
    trigger: TriggerSpec,
    movements: Iterable[MovementSeen],
    *,
    asset: str,
    now: datetime,
    since: datetime,
) -> list[Occurrence]:
    """Return an occurrence for each settled transaction that fits, oldest first.

    Money in and money out both count: the amounts bound how much moved, whichever way.
    One that settled before `since`, or longer ago than the look-back, does not count.
    """
    start = max(since, now - timedelta(days=trigger.look_back_days))
    found = [
        (seen.settled, seen)
        for seen in movements
        if seen.asset == asset
        and seen.settled is not None
        and start <= seen.settled
        and matches(trigger, seen)
    ]
    found.sort(key=lambda each: (each[0], each[1].external_id))
    return [
        Occurrence(
            f"transaction:{seen.account}:{seen.external_id}",
            now.astimezone(UTC),
            f"Transaction: {told(seen)}",
            amount=seen.amount,
            happened=settled,
        )
        for settled, seen in found
    ]


def told(seen: MovementSeen) -> str:
    """Return what a movement is called."""
    name = seen.counterparty or seen.merchant or seen.description
    return name or ("money in" if seen.amount > 0 else "money out")


def matches(trigger: TriggerSpec, seen: MovementSeen) -> bool:
    """Tell whether a movement happened, is none of our own, and is as described."""
    if seen.declined or seen.pot or seen.ours or seen.amount == 0:
        return False
    size = abs(seen.amount)
    if size < (trigger.min_amount or 0):
        return False
    if trigger.max_amount is not None and size > trigger.max_amount:
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
