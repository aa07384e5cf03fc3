"""Past balances: what they were at a moment, what changed, and where it is going."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from accounts.history.course import Course
from accounts.history.files import Line
from accounts.history.held import MICROSECOND, Point, held
from accounts.history.trends import Tally, Trend, trend
from accounts.models import Account, Balance, BalanceSnapshot, Source

AT_ONCE = 2_000
FOREVER = "infinity"
# One look-up for each line that is kept: from it to the next that is far enough away.
KEPT = """
WITH RECURSIVE kept(as_of, total) AS (
  SELECT %s::timestamptz, %s::numeric
  UNION ALL
  SELECT later.as_of, later.total FROM kept CROSS JOIN LATERAL (
    SELECT s.as_of, s.total FROM {table} s
    WHERE s.account_id = %s AND s.as_of > kept.as_of AND s.as_of < %s::timestamptz
      AND abs(s.total - kept.total) >= %s
    ORDER BY s.as_of LIMIT 1) later
) SELECT as_of FROM kept
"""

Snapshots = QuerySet[BalanceSnapshot]


def period(
    account: Account,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    least: int = 0,
) -> Snapshots:
    """Return the snapshots from `since` until before `until`, newest first.

    With `least`, only those whose total lies `least` minor units or more away from the
    last one that was kept; the first is measured by what was held when the period
    began, and kept if nothing was. Small steps add up until they count.
    """
    rows = account.snapshots.order_by("-as_of")
    if since is not None:
        rows = rows.filter(as_of__gte=since)
    if until is not None:
        rows = rows.filter(as_of__lt=until)
    return _changed(account, rows, since, until, least) if least else rows


def _changed(
    account: Account,
    rows: Snapshots,
    since: datetime | None,
    until: datetime | None,
    least: int,
) -> Snapshots:
    start = (held_before(account, since) if since else None) or rows.last()
    if start is None:
        return rows
    table = BalanceSnapshot._meta.db_table
    told = [start.as_of, start.total, account.pk, until or FOREVER, least]
    return rows.filter(as_of__in=RawSQL(KEPT.format(table=table), told))


def held_before(account: Account, moment: datetime) -> BalanceSnapshot | None:
    """Return the last snapshot before `moment`: what was held when it came."""
    return account.snapshots.filter(as_of__lt=moment).order_by("-as_of").first()


def at(account: Account, moment: datetime, match: str) -> BalanceSnapshot | None:
    """Return the snapshot of `moment`: `exact`, the last until it (`before`), `nearest`.

    Of two that are as near, the earlier: what came later was not known yet.
    """
    rows = account.snapshots.all()
    if match == "exact":
        return rows.filter(as_of=moment).first()
    before = rows.filter(as_of__lte=moment).order_by("-as_of").first()
    if match == "before":
        return before
    after = rows.filter(as_of__gte=moment).order_by("as_of").first()
    if before is None or after is None:
        return before or after
    return before if moment - before.as_of <= after.as_of - moment else after


def lines(rows: Snapshots) -> Iterator[Line]:
    """Yield `rows` as lines of a file, a few at a time however many there are."""
    told = rows.values_list(
        "as_of", "total", "available", "held", Coalesce("origin", "source")
    )
    return map(Line._make, told.iterator(AT_ONCE))


def trend_of(account: Account, since: datetime, until: datetime) -> tuple[Trend, int]:
    """Return where the total went between two moments, and how many snapshots say so."""
    count = account.snapshots.filter(as_of__gte=since, as_of__lte=until).count()
    return trend(points(account, since, until), since, until), count


def drawn(account: Account, since: datetime, until: datetime) -> tuple[Trend, Course]:
    """Return a trend with its picture, from one reading of the rows."""
    tally, course = Tally(), Course((until - since) // MICROSECOND)
    for stretch in held(points(account, since, until), since, until):
        tally.add(stretch)
        course.add(stretch)
    return tally.trend(), course


def points(account: Account, since: datetime, until: datetime) -> Iterator[Point]:
    """Yield the totals of a window, oldest first: what it began with, each change, the end.

    A balance holds until the next snapshot, the newest until it was confirmed last;
    from then on nobody knows.
    """
    first = held_before(account, since)
    within = account.snapshots.filter(as_of__gte=since, as_of__lte=until)
    rows = within.order_by("as_of").values_list("as_of", "total").iterator(AT_ONCE)
    last = (first.as_of, first.total) if first else None
    for row in chain([last] if last else [], rows):
        yield row
        last = row
    yield from ending(account, last, until)


def ending(account: Account, last: Point | None, until: datetime) -> Iterator[Point]:
    """Yield what the balance itself adds to its newest snapshot, and where it ends."""
    balance: Balance | None = getattr(account, "balance", None)
    known = last[0] if last else None
    if balance is not None and balance.as_of <= until:
        if last is None or balance.as_of > last[0]:
            yield balance.as_of, balance.total
        known = max(filter(None, [known, confirmed(balance, until)]))
    later = account.snapshots.filter(as_of__gt=until)
    if known is not None and known < until and not later.exists():
        yield known, None


def confirmed(balance: Balance, until: datetime) -> datetime:
    """Return until when a balance is known; what was counted holds until counted anew."""
    counted = balance.source == Source.MANUAL
    return until if counted else max(balance.fetched_at, balance.as_of)
