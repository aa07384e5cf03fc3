"""Wall-clock times: what each kind of trigger with a calendar stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from .calendar import day_of_month, months, nth_weekday, shifted
from .cron import parse_cron
from .trigger_terms import TriggerError, TriggerSpec

ENDED = date.max - timedelta(366)  # nothing is scheduled in the last year there is


@dataclass(frozen=True, slots=True)
class Label:
    """A wall-clock time, and the period it stands for."""

    period: date  # names the occurrence, also when a holiday moves it
    day: date
    hour: int
    minute: int


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
    """Yield the first day of each window."""
    return (label for label in window_days(trigger, start) if label.day == label.period)


def window_days(trigger: TriggerSpec, start: date) -> Iterator[Label]:
    """Yield every day of every window, in the name of the window's first day.

    A window may wrap the end of the month, and ends where the next one begins.
    """
    if trigger.start_day is None or trigger.end_day is None:
        raise TriggerError
    wraps = trigger.end_day < trigger.start_day
    before = start.replace(day=1) - timedelta(1)
    for this, following in pairwise(months(before)):
        first = day_of_month(*this, trigger.start_day)
        last = day_of_month(*(following if wraps else this), trigger.end_day)
        last = min(last, day_of_month(*following, trigger.start_day) - timedelta(1))
        for number in range((last - first).days + 1):
            day = first + timedelta(number)
            yield Label(first, day, trigger.hour, trigger.minute)


Labels = Callable[[TriggerSpec, date], Iterator[Label]]

LABELS: dict[str, Labels] = {
    "cron": cron,
    "monthly": monthly,
    "weekly": weekly,
    "daily": daily,
    "date_range": date_range,
}
