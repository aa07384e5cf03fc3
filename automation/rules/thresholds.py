"""Balances that cross a threshold: once each time, until they have come back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from .trigger_terms import Occurrence, TriggerError, TriggerSpec


@dataclass(frozen=True, slots=True)
class Reading:
    """What an account had available at a moment, in minor units of its own asset."""

    available: int
    as_of: datetime


def crossed(
    trigger: TriggerSpec, readings: Iterable[Reading], *, armed: bool, since: datetime
) -> tuple[bool, Occurrence | None]:
    """Follow `readings` in order; return whether the trigger is armed, and its crossing.

    It fires strictly beyond the threshold and is armed again at `rearm` or past it, by
    default at the threshold. Of several crossings the newest is told. One that was read
    before `since`, when the trigger was written, counts from then.
    """
    found = None
    for reading in readings:
        if armed and is_beyond(trigger, reading.available):
            armed, found = False, reading
        elif not armed and is_back(trigger, reading.available):
            armed = True
    return armed, None if found is None else occurrence(trigger, found, since)


def is_beyond(trigger: TriggerSpec, amount: int) -> bool:
    """Tell whether `amount` is above `above`, or below `below`; raises TriggerError."""
    if trigger.above is not None:
        return amount > trigger.above
    if trigger.below is not None:
        return amount < trigger.below
    raise TriggerError("A balance trigger needs above or below")


def is_back(trigger: TriggerSpec, amount: int) -> bool:
    """Tell whether `amount` has come back far enough; raises TriggerError."""
    if trigger.rearm is None:
        return not is_beyond(trigger, amount)
    if trigger.above is not None:
        return amount <= trigger.rearm
    return amount >= trigger.rearm


def occurrence(trigger: TriggerSpec, seen: Reading, since: datetime) -> Occurrence:
    """Return the occurrence of a crossing: its key is the moment of the reading."""
    side = "below" if trigger.above is None else "above"
    line = trigger.below if trigger.above is None else trigger.above
    moment = seen.as_of.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return Occurrence(
        f"balance:{trigger.account}:{side} {line}:{moment}",
        max(seen.as_of, since).astimezone(UTC),
        f"The balance went {side} {line} to {seen.available} minor units",
    )
