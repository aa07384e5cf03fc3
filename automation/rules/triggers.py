"""When a rule is due: each kind of time trigger names its occurrences for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from .labels import ENDED, LABELS, Label, Labels, window_days
from .localtime import instant, zone_of
from .trigger_terms import Occurrence, TriggerError, TriggerSpec

__all__ = [
    "ELAPSED",
    "LABELS",
    "Label",
    "Occurrence",
    "TriggerError",
    "TriggerSpec",
    "beside",
    "newest_occurrence",
    "next_occurrence",
    "next_try",
    "occurrences",
]

REFERENCE = datetime(2026, 1, 1, tzinfo=UTC)
LOOKING_BACK = tuple(timedelta(hours=n) for n in (1, 24, 24 * 32))


def next_occurrence(
    trigger: TriggerSpec, *, zone: str, after: datetime, tries: bool = False
) -> Occurrence | None:
    """Return the first occurrence strictly after `after`, or None if there is none.

    With `tries`, each later day of a date range counts as well, under the same key.
    Raises TriggerError for a kind without a clock, ZoneError, CronError, CalendarError.
    """
    if after.tzinfo is None:
        raise TriggerError("A moment needs a time zone")
    if trigger.kind in ELAPSED:
        step, anchor = ELAPSED[trigger.kind](trigger, zone_of(zone))
        return elapsed(trigger, step, anchor, after.astimezone(UTC))
    if trigger.kind not in LABELS:
        raise TriggerError(f"{trigger.kind!r} has no clock")
    again = tries and trigger.kind == "date_range"
    labels = window_days if again else LABELS[trigger.kind]
    return by_wall_clock(trigger, labels, zone_of(zone), after)


def next_try(
    trigger: TriggerSpec, key: str, *, zone: str, after: datetime
) -> date | None:
    """Return the first day after `after` on which the window under `key` is tried again."""
    if trigger.kind != "date_range":
        return None
    found = next_occurrence(trigger, zone=zone, after=after, tries=True)
    # Keys of older versions go on with an hour and a zone.
    if found is None or not key.startswith(found.key):
        return None
    return found.at.astimezone(zone_of(zone)).date()


def newest_occurrence(
    trigger: TriggerSpec,
    *,
    zone: str,
    after: datetime,
    until: datetime,
    tries: bool = False,
) -> Occurrence | None:
    """Return the last occurrence after `after` and not after `until`, or None.

    It looks back in growing steps, so that a trigger of every minute costs no more
    after a long outage than after a short one.
    """
    start = until
    for step in (*LOOKING_BACK, until - after):
        start, before = max(after, until - step), start
        found, last = None, start
        while coming := next_occurrence(trigger, zone=zone, after=last, tries=tries):
            if coming.at > before:
                break
            found, last = coming, coming.at
        if found is not None or start == after:
            return found
    return None


def occurrences(
    trigger: TriggerSpec, *, zone: str, after: datetime, until: datetime
) -> Iterator[Occurrence]:
    """Yield every occurrence strictly after `after` and not after `until`, in order."""
    found = next_occurrence(trigger, zone=zone, after=after)
    while found is not None and found.at <= until:
        yield found
        found = next_occurrence(trigger, zone=zone, after=found.at)


# The wall clock


def by_wall_clock(
    trigger: TriggerSpec, labels: Labels, zone: ZoneInfo, after: datetime
) -> Occurrence | None:
    """Return the first occurrence of a label whose instant lies after `after`."""
    here = after.astimezone(zone)
    for label in labels(trigger, here.date()):
        if label.day > ENDED:
            return None
        # A label that the clock has passed lies before `after` even where hours repeat.
        if (label.day, label.hour, label.minute) <= (
            here.date(),
            here.hour,
            here.minute,
        ):
            continue
        at = instant(label.day, label.hour, label.minute, zone)
        if at > after:
            return occurrence(trigger, label, zone, at)
    return None


def occurrence(
    trigger: TriggerSpec, label: Label, zone: ZoneInfo, at: datetime
) -> Occurrence:
    """Return the occurrence of a label: its key is the period, whatever moved it."""
    clock = f"{label.hour:02}:{label.minute:02}"
    reason = f"{trigger.kind} at {label.day} {clock}, {zone.key}"
    moved = label.day != label.period
    if trigger.kind == "date_range":
        # A window is the same one at whatever hour its days are tried.
        reason += f", in the window from {label.period}" if moved else ""
        return Occurrence(f"{trigger.kind}:{label.period}", at, reason)
    reason += f", moved from {label.period} to a business day" if moved else ""
    return Occurrence(f"{trigger.kind}:{label.period}T{clock} {zone.key}", at, reason)


def beside(found: Occurrence) -> Occurrence:
    """Return `found` under a key of its own: its day has fired already, moved to another."""
    return replace(found, key=f"{found.key}, too")


# Elapsed time: no wall clock, so no gap and no repeated hour.


def hourly(trigger: TriggerSpec, zone: ZoneInfo) -> tuple[timedelta, datetime]:
    """Return an hour, and a moment at the wanted minute of the clocks of `zone`."""
    # The minute is that of one fixed day: it must not jump where clocks do.
    offset = REFERENCE.astimezone(zone).utcoffset() or timedelta()
    return timedelta(hours=1), REFERENCE - offset + timedelta(minutes=trigger.minute)


def interval(trigger: TriggerSpec, _zone: ZoneInfo) -> tuple[timedelta, datetime]:
    """Return the step and the moment it is counted from; raises TriggerError."""
    if not trigger.minutes or trigger.anchor is None or trigger.anchor.tzinfo is None:
        raise TriggerError("An interval needs minutes and an anchor with a time zone")
    return timedelta(minutes=trigger.minutes), trigger.anchor.astimezone(UTC)


def elapsed(
    trigger: TriggerSpec, step: timedelta, anchor: datetime, after: datetime
) -> Occurrence:
    """Return the next moment a whole number of steps from `anchor`."""
    # An interval does not begin before its anchor; hours have no beginning.
    steps = (after - anchor) // step + 1
    at = anchor + (max(0, steps) if trigger.kind == "interval" else steps) * step
    told = at.isoformat().replace("+00:00", "Z")
    reason = f"{trigger.kind}: every {step // timedelta(minutes=1)} minutes"
    return Occurrence(f"{trigger.kind}:{told}", at, reason)


ELAPSED: dict[str, Callable[[TriggerSpec, ZoneInfo], tuple[timedelta, datetime]]] = {
    "hourly": hourly,
    "interval": interval,
}
