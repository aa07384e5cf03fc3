"""Every zone, every shape of schedule, year by year, against a second calendar.

`manage.py prove calendar [--zones all] [--years 10] [--start 2020]` compares what the
product says is due with what this file works out in another way: it writes down every
wall-clock label day by day, and each label's moment is the first at which the clock of
the zone shows it or anything later. That one sentence covers gaps and repeated hours.
"""

from __future__ import annotations

import argparse
import calendar
import random
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import holidays

from automation.rules import TriggerSpec, next_occurrence, occurrences
from automation.rules.triggers import newest_occurrence

TWELVE = (
    "Europe/London",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Antarctica/Troll",
)
DAY = timedelta(days=1)
PROBES = 40  # moments in between at which each schedule is asked, besides clock changes
ENGLAND = holidays.country_holidays("GB", subdiv="ENG")
Times = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Shape:
    """A trigger, and on which days and for which period a second reading fires it."""

    name: str
    trigger: TriggerSpec
    on: Callable[[date], date | None]  # the period a day stands for, if it fires
    times: Times
    tries: bool = False


@dataclass
class Found:
    """What was compared, and what differed."""

    schedules: int = 0
    occurrences: int = 0
    probes: int = 0
    violations: list[str] = field(default_factory=list)

    def add(self, other: Found) -> None:
        self.schedules += other.schedules
        self.occurrences += other.occurrences
        self.probes += other.probes
        self.violations += other.violations


def daily(day: date) -> date | None:
    return day


def on_weekday(weekday: int) -> Callable[[date], date | None]:
    return lambda day: day if day.isoweekday() == weekday else None


def on_month_day(wanted: int) -> Callable[[date], date | None]:
    def on(day: date) -> date | None:
        last = calendar.monthrange(day.year, day.month)[1]
        return day if day.day == min(wanted, last) else None

    return on


def fifth_friday(day: date) -> date | None:
    return day if day.isoweekday() == 5 and day.day > 28 else None


def last_sunday(day: date) -> date | None:
    return day if day.isoweekday() == 7 and (day + 7 * DAY).month != day.month else None


def works(day: date) -> bool:
    return day.isoweekday() < 6 and day not in ENGLAND


def shifted_first(day: date) -> date | None:
    """Return the first of the month that is worked off on `day`, or None."""
    first = day.replace(day=1)
    moved = first
    while not works(moved):
        moved += DAY
    return first if moved == day else None


def shifted_last(day: date) -> date | None:
    """Return the last of the month that is brought forward to `day`, or None."""
    last = day.replace(day=calendar.monthrange(day.year, day.month)[1])
    moved = last
    while not works(moved):
        moved -= DAY
    return last if moved == day else None


def first_of_window(day: date) -> date | None:
    return day if day.day == 28 else None


def in_window(day: date) -> date | None:
    """Return the 28th that begins the window of `day`, which ends on the 2nd."""
    if day.day >= 28:
        return day.replace(day=28)
    return (day - 3 * DAY).replace(day=28) if day.day <= 2 else None


def leap_day(day: date) -> date | None:
    return day if (day.month, day.day) == (2, 29) else None


def clocked(kind: str, hour: int, minute: int, **more) -> TriggerSpec:
    return TriggerSpec(kind, hour=hour, minute=minute, **more)


def cron(expression: str) -> TriggerSpec:
    return TriggerSpec("cron", expression=expression)


def shapes() -> list[Shape]:
    """Return every kind of wall-clock schedule, at hours where clocks jump."""
    moments = [(0, 0), (0, 30), (1, 30), (2, 30), (9, 0), (23, 59)]
    window = clocked("date_range", 2, 15, start_day=28, end_day=2)
    early = {"day": "1", "business_day": "next", "calendar": "GB-ENG"}
    late = {"day": "last", "business_day": "previous", "calendar": "GB-ENG"}
    halves = [(hour, minute) for hour in range(5) for minute in (0, 30)]
    return [
        *(
            Shape(f"daily {h}:{m}", clocked("daily", h, m), daily, [(h, m)])
            for h, m in moments
        ),
        Shape("weekly", clocked("weekly", 2, 0, weekday=7), on_weekday(7), [(2, 0)]),
        Shape("weekly", clocked("weekly", 9, 0, weekday=1), on_weekday(1), [(9, 0)]),
        Shape("31st", clocked("monthly", 1, 30, day="31"), on_month_day(31), [(1, 30)]),
        Shape("30th", clocked("monthly", 0, 0, day="30"), on_month_day(30), [(0, 0)]),
        Shape(
            "last Sunday",
            clocked("monthly", 1, 30, weekday=7, nth="last"),
            last_sunday,
            [(1, 30)],
        ),
        Shape(
            "fifth Friday",
            clocked("monthly", 2, 30, weekday=5, nth="5"),
            fifth_friday,
            [(2, 30)],
        ),
        Shape(
            "next business day",
            clocked("monthly", 2, 30, **early),
            shifted_first,
            [(2, 30)],
        ),
        Shape(
            "previous business day",
            clocked("monthly", 9, 0, **late),
            shifted_last,
            [(9, 0)],
        ),
        Shape("window", window, first_of_window, [(2, 15)]),
        Shape("window, each day", window, in_window, [(2, 15)], tries=True),
        Shape("cron twice a day", cron("30 1,2 * * *"), daily, [(1, 30), (2, 30)]),
        Shape("cron on Sundays", cron("*/30 0-4 * * 0"), on_weekday(7), halves),
        Shape("cron on leap days", cron("15 2 29 2 *"), leap_day, [(2, 15)]),
    ]


class Clock:
    """The clock of one zone over a span: stretches of one offset each."""

    def __init__(self, name: str, start: datetime, end: datetime) -> None:
        self.zone = ZoneInfo(name)
        self.begins, self.offsets = [start], [self.offset(start)]
        step, moment = timedelta(hours=6), start
        while moment < end:
            if self.offset(moment + step) != self.offsets[-1]:
                change = self.change(moment, moment + step)
                self.begins.append(change)
                self.offsets.append(self.offset(change))
            moment += step

    def offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta()

    def change(self, before: datetime, after: datetime) -> datetime:
        old = self.offset(before)
        while after - before > timedelta(seconds=1):
            middle = before + (after - before) // 2
            middle = middle.replace(microsecond=0)
            before, after = (
                (middle, after) if self.offset(middle) == old else (before, middle)
            )
        return after

    def first_showing(self, day: date, hour: int, minute: int) -> datetime:
        """Return the first moment at which the clock shows this label or a later one."""
        label = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
        index = max(0, bisect_right(self.begins, label - 2 * DAY) - 1)
        while True:
            begins, offset = self.begins[index], self.offsets[index]
            last = index + 1 == len(self.begins)
            if last or label - offset < self.begins[index + 1]:
                return max(begins, label - offset)
            index += 1


def expected(
    shape: Shape, clock: Clock, start: datetime, end: datetime
) -> Iterator[tuple[str, datetime]]:
    """Yield (period, moment) of each label in order; labels of one moment count once."""
    day, before = start.date() - 3 * DAY, start
    while day <= end.date() + 3 * DAY:
        period = shape.on(day)
        for hour, minute in shape.times if period else ():
            at = clock.first_showing(day, hour, minute)
            if before < at <= end:
                before = at
                # A window has one name, at whatever hour its days are tried.
                one = shape.trigger.kind == "date_range"
                yield f"{period}" if one else f"{period}T{hour:02}:{minute:02}", at
        day += DAY


def check(
    shape: Shape, zone: str, clock: Clock, start: datetime, end: datetime
) -> Found:
    """Compare one schedule in one zone, walking it and asking it in between."""
    wanted = list(expected(shape, clock, start, end))
    found = Found(schedules=1, occurrences=len(wanted))
    where = f"{shape.name} in {zone}"
    got, after = [], start
    while True:
        each = next_occurrence(shape.trigger, zone=zone, after=after, tries=shape.tries)
        if each is None or each.at > end:
            break
        got.append((each.key.partition(":")[2].partition(" ")[0], each.at))
        after = each.at
    if got != wanted:
        differ = sorted(set(got) ^ set(wanted), key=lambda pair: pair[1])
        found.violations.append(f"{where}: {differ[:4]}")
    keys = [key for key, _ in got]
    if not shape.tries and len(set(keys)) != len(keys):
        found.violations.append(f"{where}: one period has two occurrences")
    ask_between(shape, zone, clock, wanted, (start, end), found)
    return found


def ask_between(
    shape: Shape,
    zone: str,
    clock: Clock,
    wanted: Sequence[tuple[str, datetime]],
    span: tuple[datetime, datetime],
    found: Found,
) -> None:
    """Ask at moments around clock changes and by chance: what is next, what was last?"""
    chance = random.Random(f"{shape.name} {zone}")
    moments = [at for _, at in wanted]
    start, end = span
    near = [
        c + timedelta(minutes=m) for c in clock.begins[1:] for m in (-31, -1, 0, 1, 31)
    ]
    seconds = int((end - start).total_seconds())
    far = [start + timedelta(seconds=chance.randrange(seconds)) for _ in range(PROBES)]
    for moment in (m for m in (*near, *far) if start <= m < end):
        place = bisect_right(moments, moment)
        ask = {"zone": zone, "tries": shape.tries}
        following = next_occurrence(shape.trigger, after=moment, **ask)
        last = newest_occurrence(shape.trigger, after=start, until=moment, **ask)
        found.probes += 1
        right = following is not None and (
            (place == len(moments) and following.at > end)
            or (place < len(moments) and following.at == moments[place])
        )
        was = moments[place - 1] if place else None
        if not right or (last.at if last else None) != was:
            found.violations.append(f"{shape.name} in {zone} asked at {moment}")


def check_elapsed(zone: str, start: datetime, days: int) -> Found:
    """Walk hours and intervals: the same time passes between any two, whatever clocks do."""
    anchor = start - timedelta(minutes=7)
    found = Found()
    for trigger, minutes in (
        (TriggerSpec("hourly", minute=30), 60),
        (TriggerSpec("interval", minutes=50, anchor=anchor), 50),
    ):
        step, end = timedelta(minutes=minutes), start + days * DAY
        got = list(occurrences(trigger, zone=zone, after=start, until=end))
        found.schedules += 1
        found.occurrences += len(got)
        gaps = {b.at - a.at for a, b in pairwise(got)}
        whole = got[0].at - step <= start and got[-1].at + step > end
        if gaps != {step} or not whole or len({each.key for each in got}) != len(got):
            found.violations.append(f"{trigger.kind} in {zone}")
    return found


def check_zone(zone: str, first: int, years: int) -> Found:
    """Compare every shape in one zone."""
    start = datetime(first, 1, 1, tzinfo=UTC)
    end = datetime(first + years, 1, 1, tzinfo=UTC)
    clock = Clock(zone, start - 10 * DAY, end + 10 * DAY)
    found = check_elapsed(zone, start + 60 * DAY, 100)  # clocks change in it
    for shape in shapes():
        found.add(check(shape, zone, clock, start, end))
    return found


def prove(zones: Sequence[str], first: int, years: int, workers: int = 1) -> Found:
    """Compare every shape in every zone of `zones` from the year `first` on."""
    total, count = Found(), len(zones)
    spans = ([first] * count, [years] * count)
    if workers == 1:
        for found in map(check_zone, zones, *spans):
            total.add(found)
        return total
    with ProcessPoolExecutor(workers) as pool:
        for found in pool.map(check_zone, zones, *spans, chunksize=4):
            total.add(found)
    return total


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="manage.py prove calendar")
    parser.add_argument("--zones", default="12", help="all, 12, or names with commas")
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--start", type=int, default=2020, help="the first year")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(argv)
    named = {"all": sorted(available_timezones()), "12": list(TWELVE)}
    zones = named.get(options.zones) or options.zones.split(",")
    begun = time.monotonic()
    found = prove(zones, options.start, options.years, options.workers)
    print(f"zones        {len(zones):>12,}")
    print(f"shapes       {len(shapes()) + 2:>12,}")
    print(f"years        {options.start}-{options.start + options.years - 1:>7}")
    print(f"schedules    {found.schedules:>12,}")
    print(f"occurrences  {found.occurrences:>12,}")
    print(f"asked between{found.probes:>12,}")
    print(f"seconds      {time.monotonic() - begun:>12.1f}")
    print(f"violations   {len(found.violations):>12,}")
    for told in found.violations[:20]:
        print(f"  {told}")
    return 1 if found.violations else 0
