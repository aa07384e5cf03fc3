"""Past balances as rows: of a period, of a moment, and as the lines of a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from accounts.history.files import Line
from accounts.models import Account, BalanceSnapshot

from .days import held_before

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
    start = held_before(account, since) if since else None
    first = None if start else rows.last()
    if first is not None:
        start = first.as_of, first.total
    if start is None:
        return rows
    table = BalanceSnapshot._meta.db_table
    told = [*start, account.pk, until or FOREVER, least]
    return rows.filter(as_of__in=RawSQL(KEPT.format(table=table), told))


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
