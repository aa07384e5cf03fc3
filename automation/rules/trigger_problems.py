"""Everything that makes a trigger a 400."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from providers.money import Asset, MoneyError

from .calendar import LAST, CalendarError, holidays_of
from .cron import CronError, parse_cron
from .problems import of_amount
from .terms import Problem
from .trigger_terms import TriggerSpec
from .triggers import next_occurrence

BLANK = TriggerSpec("")
FREE = frozenset({"kind", "anchor"})  # callers fill in the anchor for every kind
CLOCK = "hour minute"
SEEN = "min_amount max_amount pattern category merchant look_back_days"

# kind → the fields it takes besides itself.
TAKES: Mapping[str, frozenset[str]] = {
    kind: frozenset(fields.split())
    for kind, fields in {
        "manual": "",
        "api": "",
        "cron": "expression",
        "monthly": f"day weekday nth {CLOCK} business_day calendar",
        "weekly": f"weekday {CLOCK}",
        "daily": CLOCK,
        "hourly": "minute",
        "interval": "minutes anchor",
        "date_range": f"start_day end_day {CLOCK}",
        "payday": f"{SEEN} cooldown_days",
        "balance": "account above below rearm",
        "transaction": SEEN,
        "webhook": "",
        "after_rule": "rule min_moved",
    }.items()
}
MUST = {
    "weekly": ("weekday",),
    "interval": ("minutes",),
    "date_range": ("start_day", "end_day"),
    "balance": ("account",),
    "after_rule": ("rule",),
}
THRESHOLDS = ("above", "below", "rearm")  # may be below 0: an overdraft
RANGES = {
    "weekday": (1, 7),
    "hour": (0, 23),
    "minute": (0, 59),
    "minutes": (1, 366 * 24 * 60),
    "start_day": (1, 31),
    "end_day": (1, 31),
    "look_back_days": (1, 90),
    "cooldown_days": (0, 366),
}
DAYS = frozenset({LAST, *map(str, range(1, 32))})
NTHS = frozenset({LAST, *map(str, range(1, 6))})
BUSINESS_DAYS = frozenset({"none", "previous", "next"})


def trigger_problems(trigger: TriggerSpec, asset: str) -> list[Problem]:
    """Return every reason to refuse `trigger` in a rule that moves `asset`."""
    if trigger.kind not in TAKES:
        text = f"{trigger.kind!r} is no kind of trigger"
        return [Problem("kind", "unknown_kind", text)]
    found = [*of_fields(trigger), *of_ranges(trigger), *of_amounts(trigger, asset)]
    return found or [*OF_KIND.get(trigger.kind, nothing)(trigger)]


def of_fields(trigger: TriggerSpec) -> Iterator[Problem]:
    """Yield fields that are missing, and fields that would be ignored."""
    for name in TriggerSpec.__slots__:
        given = getattr(trigger, name) != getattr(BLANK, name)
        if name not in FREE and given and name not in TAKES[trigger.kind]:
            yield Problem(name, "not_allowed", f"{trigger.kind} does not take {name}")
        if not given and name in MUST.get(trigger.kind, ()):
            yield Problem(name, f"missing_{name}", f"{trigger.kind} needs {name}")


def of_ranges(trigger: TriggerSpec) -> Iterator[Problem]:
    """Yield numbers out of range."""
    for name, (low, high) in RANGES.items():
        value = getattr(trigger, name)
        if value is not None and (type(value) is not int or not low <= value <= high):
            yield Problem(name, "out_of_range", f"{name} is {low} to {high}")


def of_amounts(trigger: TriggerSpec, asset: str) -> Iterator[Problem]:
    """Yield amounts that are none, or in the wrong order."""
    try:
        Asset.parse(asset)
    except MoneyError as error:
        yield Problem("asset", "invalid_asset", str(error))
    for name in ("min_amount", "max_amount", "min_moved"):
        yield from of_amount(name, name, getattr(trigger, name))
    for name in THRESHOLDS:
        value = getattr(trigger, name)
        yield from of_amount(name, name, abs(value) if type(value) is int else value)
    least, most = trigger.min_amount, trigger.max_amount
    if least is not None and most is not None and least > most:
        text = "min_amount may not be above max_amount"
        yield Problem("min_amount", "not_in_order", text)


def of_cron(trigger: TriggerSpec) -> Iterator[Problem]:
    """Yield why this expression cannot be read, or never comes true."""
    try:
        parse_cron(trigger.expression)
    except CronError as error:
        yield Problem("expression", "invalid_cron", str(error))
        return
    start = datetime(2000, 1, 1, tzinfo=UTC)
    if next_occurrence(trigger, zone="UTC", after=start) is None:
        text = f"{trigger.expression!r} never comes true"
        yield Problem("expression", "never_fires", text)


def of_monthly(trigger: TriggerSpec) -> Iterator[Problem]:
    """Yield a day that is none, or both a day and a weekday."""
    if trigger.weekday is not None:
        if trigger.day:
            yield Problem("day", "not_allowed", "Give a day or a weekday, not both")
        if str(trigger.nth) not in NTHS:
            yield Problem("nth", "out_of_range", "nth is 1 to 5, or last")
    elif str(trigger.day) not in DAYS:
        yield Problem("day", "out_of_range", "day is 1 to 31, or last")
    elif trigger.nth:
        yield Problem("nth", "not_allowed", "nth needs a weekday")
    yield from of_business_day(trigger)


def of_business_day(trigger: TriggerSpec) -> Iterator[Problem]:
    """Yield an unknown shift, and a calendar that is none."""
    if trigger.business_day not in BUSINESS_DAYS:
        text = "business_day is none, previous or next"
        yield Problem("business_day", "unknown_choice", text)
    if not trigger.calendar:
        return
    try:
        holidays_of(trigger.calendar)
    except CalendarError as error:
        yield Problem("calendar", "unknown_calendar", str(error))


def of_anchor(trigger: TriggerSpec) -> Iterator[Problem]:
    """Yield an anchor that is no moment."""
    if trigger.anchor is not None and trigger.anchor.tzinfo is None:
        yield Problem("anchor", "naive_time", "A moment needs a time zone")


def of_payday(trigger: TriggerSpec) -> Iterator[Problem]:
    """Yield a payday that any money in would be."""
    if not (
        trigger.min_amount or trigger.pattern or trigger.category or trigger.merchant
    ):
        text = "A payday needs min_amount, pattern, merchant or category"
        yield Problem("min_amount", "missing_min_amount", text)


def of_balance(trigger: TriggerSpec) -> Iterator[Problem]:
    """Yield a threshold too many or too few, or a rearm on its wrong side."""
    above, below, rearm = trigger.above, trigger.below, trigger.rearm
    if above is not None and below is not None:
        yield Problem("below", "not_allowed", "Give above or below, not both")
    elif above is None and below is None:
        yield Problem("above", "missing_above", "balance needs above or below")
    elif rearm is not None and above is not None and rearm > above:
        yield Problem("rearm", "not_in_order", "rearm may not be above `above`")
    elif rearm is not None and below is not None and rearm < below:
        yield Problem("rearm", "not_in_order", "rearm may not be below `below`")


def nothing(_trigger: TriggerSpec) -> Iterator[Problem]:
    """Yield nothing: this kind has no more to get wrong."""
    yield from ()


OF_KIND = {
    "cron": of_cron,
    "monthly": of_monthly,
    "interval": of_anchor,
    "payday": of_payday,
    "balance": of_balance,
}
