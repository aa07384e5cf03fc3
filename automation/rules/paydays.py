"""Pay cycles: when somebody was paid last, and how often again until a day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from .calendar import LAST
from .localtime import instant, zone_of
from .terms import PayCycle, Problem
from .trigger_terms import TriggerSpec
from .triggers import next_occurrence

SALARY = "payday"  # seen among movements, so it has no calendar
CLOCKS = frozenset({"cron", "monthly", "weekly", "daily", "date_range", "interval"})
DAY = 24 * 60  # minutes
DAYS = frozenset({LAST, *map(str, range(1, 32))})
LOOK_BACK = (timedelta(days=35), timedelta(days=400))
MOST_PERIODS = 4000


def cycle_problems(cycle: PayCycle | None) -> Iterator[Problem]:
    """Yield why nobody is paid like this."""
    if cycle is None:
        return
    trigger = cycle.trigger
    if trigger is None:
        if cycle.day not in DAYS:
            yield Problem("pay_cycle.day", "out_of_range", "day is 1 to 31, or last")
    elif cycle.day:
        text = "Give a day or a trigger, not both"
        yield Problem("pay_cycle.day", "not_allowed", text)
    elif trigger.kind != SALARY and trigger.kind not in CLOCKS:
        text = f"Nobody is paid by a {trigger.kind} trigger"
        yield Problem("pay_cycle.trigger", "not_allowed", text)
    elif trigger.kind == "interval" and (trigger.minutes or 0) < DAY:
        text = "A pay cycle is at least a day"
        yield Problem("pay_cycle.trigger", "out_of_range", text)


def clock_of(cycle: PayCycle | None) -> TriggerSpec | None:
    """Return what names the paydays of a cycle; None where only a salary does."""
    if cycle is None:
        return None
    if cycle.trigger is None:
        return TriggerSpec("monthly", day=cycle.day, hour=0)
    return None if cycle.trigger.kind == SALARY else cycle.trigger


def paydays(
    clock: TriggerSpec, zone: str, start: date, until: date
) -> Iterator[datetime]:
    """Yield the first moment of each payday after `start` and before `until`."""
    here = zone_of(zone)
    day = start + timedelta(1)
    while day < until:
        after = instant(day, 0, 0, here) - timedelta(microseconds=1)
        found = next_occurrence(clock, zone=zone, after=after)
        if found is None or (on := found.at.astimezone(here).date()) >= until:
            return
        yield found.at
        day = on + timedelta(1)


@lru_cache(maxsize=4096)
def periods_left(cycle: PayCycle | None, zone: str, today: date, due: date) -> int:
    """Return in how many pay periods, this one too, something is saved before `due`.

    Without a calendar of paydays a period is a month, counted from `today`.
    """
    clock = clock_of(cycle) or monthly_from(today)
    count = 1
    for _ in paydays(clock, zone, today, due):
        count += 1
        if count >= MOST_PERIODS:
            break
    return count


def monthly_from(today: date) -> TriggerSpec:
    """Return a month's clock that begins today; the end of a month means every end."""
    ends = (today + timedelta(1)).month != today.month
    return TriggerSpec("monthly", day=LAST if ends else str(today.day), hour=0)


def last_payday(cycle: PayCycle | None, zone: str, now: datetime) -> datetime | None:
    """Return the newest payday on a day before today, in UTC; None if none is known.

    A rule that runs on payday looks back at the period that has just ended.
    """
    clock = clock_of(cycle)
    if clock is None:
        return None
    today = now.astimezone(zone_of(zone)).date()
    for stretch in LOOK_BACK:
        if found := list(paydays(clock, zone, today - stretch, today)):
            return found[-1].astimezone(UTC)
    return None


def last_paydays(cycle: PayCycle | None, zone: str, now: datetime) -> list[datetime]:
    """Return the last two paydays that a calendar tells, the newest first."""
    newest = last_payday(cycle, zone, now)
    older = last_payday(cycle, zone, newest) if newest else None
    return [found for found in (newest, older) if found]


def last_salaries(
    moments: Iterable[datetime], spent: datetime | None, days: int, zone: ZoneInfo
) -> list[datetime]:
    """Return the last two of `moments`, the newest first, that are paydays of their own.

    The newest comes first among `moments` too. Two that are less than `days` days apart
    are of one payday, as is one that came so shortly before `spent`.
    """
    found: list[datetime] = []
    last = spent
    for moment in moments:
        day = moment.astimezone(zone).date()
        if last is None or last.astimezone(zone).date() - day >= timedelta(days=days):
            found.append(moment)
            last = moment
        if len(found) == 2:
            break
    return found


def replenished_since(
    paid: Sequence[datetime], done: datetime | None
) -> datetime | None:
    """Return since when a bills pot is replenished: its owner's last payday before this.

    Where the rule last succeeded (`done`) in the pay period before, it is that moment:
    what was spent between the two is not forgotten. None where no payday is known.
    """
    if len(paid) > 1 and done is not None and paid[1] <= done < paid[0]:
        return done
    return paid[0] if paid else None
