"""The five fields of a cron expression, read strictly: minute hour day month weekday.

The installed parsers either belong to a task queue or need a further library, so the
sixty lines that decide when money moves are kept here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

MONTHS = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
ITEM = re.compile(
    r"(?P<all>\*)(/(?P<every>[0-9]{1,2}))?"
    r"|(?P<first>[0-9]{1,2}|[a-z]{3})(-(?P<last>[0-9]{1,2}|[a-z]{3})(/(?P<step>[0-9]{1,2}))?)?",
    re.ASCII,
)
DAYS_AHEAD = 41 * 366  # 29 February on one weekday can be forty years away


class CronError(ValueError):
    """This is no cron expression of five fields such as "0 9 25 * *"."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


@dataclass(frozen=True, slots=True)
class Field:
    """The bounds and names of one field."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        """Return the number that `text` writes or names; raises CronError."""
        if text in self.names:
            return self.names.index(text) + self.low
        if not text.isdigit() or not self.low <= int(text) <= self.high:
            wanted = f"{self.low} to {self.high}"
            raise CronError(f"{text!r} is no {self.name}: {wanted}")
        return int(text)

    def item(self, text: str) -> range:
        """Return the numbers one item of a list stands for; raises CronError."""
        found = ITEM.fullmatch(text)
        if found is None:
            raise CronError(f"{text!r} cannot be read as {self.name}")
        step = int(found["every"] or found["step"] or 1)
        if not step:
            raise CronError(f"The step of {text!r} must be more than 0")
        if found["all"]:
            return range(self.low, self.high + 1, step)
        first = self.number(found["first"])
        last = self.number(found["last"]) if found["last"] else first
        if last < first:
            raise CronError(f"{text!r} runs backwards")
        return range(first, last + 1, step)

    def numbers(self, text: str) -> frozenset[int]:
        """Return every number that a field stands for; raises CronError."""
        return frozenset(n for item in text.split(",") for n in self.item(item))


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day", 1, 31),
    Field("month", 1, 12, tuple(MONTHS)),
    Field("weekday", 0, 7, tuple(WEEKDAYS)),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression."""

    times: tuple[tuple[int, int], ...]  # (hour, minute), sorted
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # as date.isoweekday() counts them
    either: bool  # both day and weekday are named: one of them is enough

    def on(self, day: date) -> bool:
        """Tell whether the expression fires on `day`."""
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() in self.weekdays
        return by_day or by_weekday if self.either else by_day and by_weekday

    def labels(self, start: date) -> Iterator[tuple[date, int, int]]:
        """Yield (day, hour, minute) in order from `start` on, as far as there are any."""
        day = start
        # The last month there is has none after it.
        last = start + timedelta(min(DAYS_AHEAD, (date.max - start).days - 31))
        while day < last:
            if day.month not in self.months:
                day = (day.replace(day=1) + timedelta(31)).replace(day=1)
                continue
            if self.on(day):
                yield from ((day, hour, minute) for hour, minute in self.times)
            day += timedelta(1)


@lru_cache(maxsize=1024)
def parse_cron(expression: str) -> Cron:
    """Return what `expression` means; raises CronError.

    As in crontab(5): 0 and 7 are Sunday, and where day and weekday are both named
    either is enough.
    """
    words = expression.lower().split()
    if len(words) != len(FIELDS):
        raise CronError
    minutes, hours, days, months, weekdays = (
        field.numbers(word) for field, word in zip(FIELDS, words, strict=True)
    )
    return Cron(
        times=tuple(sorted((hour, minute) for hour in hours for minute in minutes)),
        days=days,
        months=months,
        weekdays=frozenset(n or 7 for n in weekdays),
        either=not (words[2].startswith("*") or words[4].startswith("*")),
    )
