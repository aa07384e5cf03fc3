"""When a rule is due: each kind of time trigger names its occurrences for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from .calendar import day_of_month, months, nth_weekday, shifted
from .cron import parse_cron
from .localtime import instant, zone_of

REFERENCE = datetime(2026, 1, 1, tzinfo=UTC)
ENDED = date.max - timedelta(366)  # nothing is scheduled in the last year there is


class TriggerError(ValueError):
    """This trigger has no occurrences as it is written."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


@dataclass(frozen=True, slots=True)
class TriggerSpec:
    """One trigger of a rule; which fields count depends on `kind`."""

    kind: str
    expression: str = ""
    day: str = ""  # "1" to "31" or "last"
    weekday: int | None = None  # 1 = Monday to 7
    nth: str = ""  # "1" to "5" or "last"
    hour: int = 9
    minute: int = 0
    minutes: int | None = None
    anchor: datetime | None = None  # by default the moment the rule was made
    business_day: str = "none"
    calendar: str = ""
    start_day: int | None = None
    end_day: int | None = None
    min_amount: int | None = None
    max_amount: int | None = None
    pattern: str = ""
    category: str = ""
    merchant: str = ""
    look_back_days: int = 3
    cooldown_days: int = 7
    account: str = ""
    above: int | None = None
    below: int | None = None
    rearm: int | None = None
    rule: str = ""
    min_moved: int | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One moment at which a rule is due; no two share a key."""

    key: str
    at: datetime  # UTC
    reason: str


@dataclass(frozen=True, slots=True)
class Label:
    """A wall-clock time, and the period it stands for."""

    period: date  # names the occurrence, also when a holiday moves it
    day: date
    hour: int
    minute: int


def next_occurrence(
    trigger: TriggerSpec, *, zone: str, after: datetime
) -> Occurrence | None:
    """Return the first occurrence strictly after `after`, or None if there is none.

    Raises TriggerError for a kind without a clock, ZoneError, CronError, CalendarError.
    """
    if after.tzinfo is None:
        raise TriggerError("A moment needs a time zone")
    if trigger.kind in ELAPSED:
        step, anchor = ELAPSED[trigger.kind](trigger, zone_of(zone))
        return elapsed(trigger, step, anchor, after.astimezone(UTC))
    if trigger.kind not in LABELS:
        raise TriggerError(f"{trigger.kind!r} has no clock")
    return by_wall_clock(trigger, zone_of(zone), after)


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
    trigger: TriggerSpec, zone: ZoneInfo, after: datetime
) -> Occurrence | None:
    """Return the first occurrence of a label whose instant lies after `after`."""
    here = after.astimezone(zone)
    for label in LABELS[trigger.kind](trigger, here.date()):
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
    if label.day != label.period:
        reason += f", moved from {label.period} to a business day"
    return Occurrence(f"{trigger.kind}:{label.period}T{clock} {zone.key}", at, reason)


def cron(trigger: TriggerSpec, start: date) -> Iterator[Label]:
    """Yield the labels of a cron expression."""
    for day, hour, minute in parse_cron(trigger.expression).labels(start):
        yield Label(day, day, hour, minute)


def monthly(trigger: TriggerSpec, start: date) -> Iterator[Label]:
    """Yield one label a month: a day, or the nth weekday, moved to a business day."""
    # A shift to the next business day may carry last month's label into this one.
    for year, month in months(start - timedelta(40)):
        if trigger.weekday is not None:
            day = nth_weekday(year, month, trigger.weekday, trigger.nth)
        else:
            day = day_of_month(year, month, trigger.day)
        if day is not None:
            moved = shifted(day, trigger.business_day, trigger.calendar)
            yield Label(day, moved, trigger.hour, trigger.minute)


def weekly(trigger: TriggerSpec, start: date) -> Iterator[Label]:
    """Yield one label a week; 1 is Monday."""
    if trigger.weekday is None:
        raise TriggerError
    first = start + timedelta((trigger.weekday - start.isoweekday()) % 7)
    yield from every(timedelta(7), first, trigger)


def daily(trigger: TriggerSpec, start: date) -> Iterator[Label]:
    """Yield one label a day."""
    yield from every(timedelta(1), start, trigger)


def every(step: timedelta, day: date, trigger: TriggerSpec) -> Iterator[Label]:
    """Yield a label at each step of days."""
    while day <= ENDED:
        yield Label(day, day, trigger.hour, trigger.minute)
        day += step
    yield Label(date.max, date.max, 0, 0)


def date_range(trigger: TriggerSpec, start: date) -> Iterator[Label]:
    """Yield the first day of each window; it may wrap the end of the month."""
    if trigger.start_day is None:
        raise TriggerError
    for year, month in months(start):
        day = day_of_month(year, month, trigger.start_day)
        yield Label(day, day, trigger.hour, trigger.minute)


LABELS: dict[str, Callable[[TriggerSpec, date], Iterator[Label]]] = {
    "cron": cron,
    "monthly": monthly,
    "weekly": weekly,
    "daily": daily,
    "date_range": date_range,
}

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
