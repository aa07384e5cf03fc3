"""Quiet hours: what can wait is told in the morning, by the clock of the person."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def is_quiet(now: datetime, zone: ZoneInfo, start: time, end: time) -> bool:
    """Say whether the clock in `zone` is between `start` and `end`, over midnight too."""
    clock = now.astimezone(zone).time()
    if start <= end:
        return start <= clock < end
    return clock >= start or clock < end


def quiet_until(
    now: datetime, zone: ZoneInfo, start: time | None, end: time | None
) -> datetime | None:
    """Return when it may be told if it is quiet now, in UTC; None: it may be told."""
    if start is None or end is None or not is_quiet(now, zone, start, end):
        return None
    local = now.astimezone(zone)
    day = local.date() if local.time() < end else local.date() + timedelta(days=1)
    # A clock that is set forward may never show `end`: then the moment after.
    morning = datetime.combine(day, end, zone).astimezone(UTC)
    return max(morning, now)
