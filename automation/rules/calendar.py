"""Days: the last of a month, the nth weekday, business days of a country."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

from holidays import HolidayBase, country_holidays, list_supported_countries

LAST = "last"
FURTHEST = 60  # days to look for a business day; no country rests longer


class CalendarError(ValueError):
    """This is no holiday calendar such as GB-ENG."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


supported = lru_cache(maxsize=1)(list_supported_countries)


@lru_cache(maxsize=256)
def holidays_of(code: str) -> HolidayBase:
    """Return the public holidays of `GB-ENG`, `DE-BY`, `US`…; raises CalendarError."""
    country, _, part = code.partition("-")
    parts = supported().get(country)
    if parts is None or (part and part not in parts) or code.endswith("-"):
        raise CalendarError(f"{code!r} is no calendar such as GB-ENG")
    return country_holidays(country, subdiv=part or None)


def is_business_day(day: date, code: str) -> bool:
    """Tell whether people work on `day`; without a calendar, Monday to Friday."""
    if not code:
        return day.isoweekday() <= 5
    return holidays_of(code).is_working_day(day)


def shifted(day: date, business_day: str, code: str) -> date:
    """Return `day`, or the previous or next business day; it may leave the month."""
    if business_day == "none":
        return day
    step = timedelta(-1 if business_day == "previous" else 1)
    for _ in range(FURTHEST):
        if is_business_day(day, code):
            return day
        day += step
    raise CalendarError(f"{code!r} has no business day near {day}")


def day_of_month(year: int, month: int, day: str | int) -> date:
    """Return a day of a month; `last`, 31 and 30 mean the last where there is none."""
    last = monthrange(year, month)[1]
    return date(year, month, last if day == LAST else min(int(day), last))


def nth_weekday(year: int, month: int, weekday: int, nth: str | int) -> date | None:
    """Return the nth (1-5 or `last`) weekday, 1 = Monday; None where there is no fifth."""
    last = monthrange(year, month)[1]
    days = [
        day
        for day in (date(year, month, number) for number in range(1, last + 1))
        if day.isoweekday() == weekday
    ]
    if nth == LAST:
        return days[-1]
    return days[int(nth) - 1] if int(nth) <= len(days) else None


def months(start: date) -> Iterator[tuple[int, int]]:
    """Yield (year, month) from the month of `start` on."""
    year, month = start.year, start.month
    while year <= date.max.year:
        yield year, month
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
