"""The figures of days: they stand for snapshots that are gone, or too many to read.

Every snapshot is in them, so whatever is asked of a day as a whole they answer exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from django.db.models import Sum

from accounts.history.course import COLUMNS
from accounts.history.held import DAY, MICROSECOND, Day, Point, midnight
from accounts.models import Account, BalanceDay

AT_ONCE = 2_000
LONG = timedelta(days=COLUMNS)  # from here on a column of the chart is a day or more


def days_until(account: Account, since: datetime, until: datetime) -> datetime | None:
    """Return up to when a window is read by the day, always a midnight in UTC; or None.

    What is older than the snapshots that are kept is known no better; a long window is
    read so because it is all the same, but for a fraction of the rows.
    """
    known = account.days_only_until
    if until - since >= LONG:
        return max(filter(None, [known, midnight(until)]))
    return known if known is not None and known > since else None


def held_before(account: Account, moment: datetime) -> Point | None:
    """Return what was held when `moment` came, and since when; None where nobody knows.

    Where only the figures of that day are kept, it is what the day began with.
    """
    rows = BalanceDay.objects.filter(account=account, first_at__lt=moment)
    day = rows.filter(day__lte=date_of(moment)).order_by("-day").first()
    if day is None:
        return None
    if day.last_at < moment:
        return day.last_at, day.last
    within = account.snapshots.filter(as_of__gte=day.first_at, as_of__lt=moment)
    last = within.order_by("-as_of").values_list("as_of", "total").first()
    return last or (day.first_at, day.first)


def known_of(
    account: Account, since: datetime, until: datetime
) -> Iterator[Point | Day]:
    """Yield what is known of a window, both ends included, oldest first.

    Whole days stand for their snapshots where the window is read by the day.
    """
    by_day = days_until(account, since, until)
    if by_day is None:
        yield from kept(account, since, until)
        return
    begun = min(midnight(since + DAY - MICROSECOND), until)  # the first whole day
    ended = max(begun, min(by_day, midnight(until)))
    yield from kept(account, since, begun - MICROSECOND)
    yield from days(account, begun, ended)
    yield from kept(account, ended, until)


def kept(account: Account, since: datetime, until: datetime) -> Iterator[Point]:
    """Yield the snapshots of a window; of days that are given up, their ends."""
    given_up = account.days_only_until
    if given_up is not None and since < given_up:
        for day in days(account, since, min(given_up, midnight(until) + DAY)):
            yield from (point for point in day.ends if since <= point[0] <= until)
        since = given_up
    rows = account.snapshots.filter(as_of__gte=since, as_of__lte=until)
    if since <= until:
        told = rows.order_by("as_of").values_list("as_of", "total")
        yield from told.iterator(AT_ONCE)


def days(account: Account, since: datetime, until: datetime) -> Iterator[Day]:
    """Yield the days from that of `since` until before the midnight `until`."""
    rows = BalanceDay.objects.filter(account=account)
    rows = rows.filter(day__gte=date_of(since), day__lt=date_of(until))
    told = rows.order_by("day").values_list(*Day._fields)
    return map(Day._make, told.iterator(AT_ONCE))


def counted(account: Account, since: datetime, until: datetime) -> int:
    """Return how many snapshots a window had; a given-up day that it cuts counts whole."""
    given_up = account.days_only_until
    first = since if given_up is None else max(since, given_up)
    rows = account.snapshots.filter(as_of__gte=first, as_of__lte=until)
    count = rows.count() if first <= until else 0
    if first > since:
        days = BalanceDay.objects.filter(account=account, day__gte=date_of(since))
        days = days.filter(day__lt=date_of(first), day__lte=date_of(until))
        count += days.aggregate(all=Sum("count"))["all"] or 0
    return count


def date_of(moment: datetime) -> date:
    """Return the day of `moment` in UTC."""
    return moment.astimezone(UTC).date()
