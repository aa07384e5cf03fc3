"""From a wall clock to an instant, also where the clock jumps."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones


class ZoneError(ValueError):
    """This is no time zone such as Europe/London."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


zones = lru_cache(maxsize=1)(available_timezones)


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone called `name`; raises ZoneError."""
    if name not in zones():
        raise ZoneError(f"{name!r} is no time zone such as Europe/London")
    return ZoneInfo(name)


def instant(day: date, hour: int, minute: int, zone: ZoneInfo) -> datetime:
    """Return the one instant of a wall-clock time, in UTC.

    In a gap it is the first valid instant after; of a repeated hour the first one.
    """
    wall = datetime.combine(day, time(hour, minute), tzinfo=zone)
    at = wall.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return at
    return jump(wall.replace(fold=1).astimezone(UTC), at, zone)


def midnight(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return when the day of `moment` began in `zone`, in UTC."""
    return instant(moment.astimezone(zone).date(), 0, 0, zone)


def day_of(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when the day of `moment` began in `zone`, and when the next one does."""
    day = moment.astimezone(zone).date()
    if day == date.max:
        return midnight(moment, zone), datetime.max.replace(tzinfo=UTC)
    return midnight(moment, zone), instant(day + timedelta(days=1), 0, 0, zone)


def jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant between two others at which the clock of `zone` jumps."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after
