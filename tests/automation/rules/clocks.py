"""Short ways to ask when a trigger fires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from automation.rules import occurrences

LONDON = "Europe/London"


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


NEW_YEAR = utc(2026, 1, 1)


def first(count, trigger, *, after, zone=LONDON):
    """The next few occurrences."""
    until = after + timedelta(days=366 * 12)
    return list(
        islice(occurrences(trigger, zone=zone, after=after, until=until), count)
    )


def days(count, trigger, *, after=NEW_YEAR, zone=LONDON):
    """The local days of the next few occurrences, as text."""
    found = first(count, trigger, after=after, zone=zone)
    return [f"{each.at.astimezone(ZoneInfo(zone)):%Y-%m-%d}" for each in found]
