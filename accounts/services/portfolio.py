"""What a workspace is worth: its newest balances and its past, in one asset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils.timezone import now

from accounts.history.course import Course
from accounts.missing import INCOMPLETE
from accounts.models import (
    Account,
    Balance,
    BalanceDay,
    BalanceSnapshot,
    Connection,
    Source,
    Workspace,
)
from accounts.portfolio.over_time import Sum, course, moments
from accounts.portfolio.rates import Table
from accounts.portfolio.total import Holding, Portfolio
from providers.money import Asset

from .rates import table_of

DAY = timedelta(days=1)
# One look-up of a day for each account and column, however many snapshots there are, and
# one of a snapshot where the column ends within that day's changes; without OFFSET it
# would be made twice. The mark of a set of accounts needs no order of them.
SUMS = """
SELECT c.at, a.asset, sum(h.total), bit_xor(hashtextextended(a.id::text, 0))::text
FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS c(moment, at)
CROSS JOIN {accounts} a
LEFT JOIN {balances} b ON b.account_id = a.id
CROSS JOIN LATERAL (SELECT CASE WHEN b.as_of <= c.moment THEN b.total ELSE (
    SELECT CASE WHEN d.last_at <= c.moment THEN d.last ELSE coalesce((
      SELECT s.total FROM {snapshots} s
      WHERE s.account_id = a.id AND s.as_of BETWEEN d.first_at AND c.moment
      ORDER BY s.as_of DESC LIMIT 1), d.first) END
    FROM {days} d WHERE d.account_id = a.id AND d.first_at <= c.moment
    AND d.day <= (c.moment AT TIME ZONE 'UTC')::date
    ORDER BY d.day DESC LIMIT 1) END AS total OFFSET 0) h
WHERE a.id = ANY(%s) AND h.total IS NOT NULL
  AND (a.closed_at IS NULL OR a.closed_at > c.moment)
GROUP BY c.at, a.asset ORDER BY c.at, a.asset
"""


def counted_since(workspace: Workspace, since: datetime) -> QuerySet[Account]:
    """Return the accounts that totals add up, and those that were closed since."""
    there = Q(closed_at=None) | Q(closed_at__gt=since)
    rows = Account.objects.filter(there, workspace=workspace, automates=True)
    return rows.filter(active=True)


def base_of(workspace: Workspace) -> Asset | None:
    """Return what totals are in: what was chosen, or what most accounts hold.

    None: nothing was chosen and there is no account.
    """
    if workspace.base_asset:
        return Asset.parse(workspace.base_asset)
    everything = Account.objects.filter(workspace=workspace)
    for rows in (everything.counted(), everything):
        assets = Counter(rows.values_list("asset", flat=True))
        if assets:
            break
    else:
        return None
    return Asset.parse(min(assets, key=lambda asset: (-assets[asset], asset)))


def spelt_out(workspace: Workspace, code: str) -> Asset | None:
    """Return the asset of a code alone, by the workspace's own accounts; None: which?"""
    held = Account.objects.filter(workspace=workspace, asset__startswith=f"{code}/")
    known = {*held.values_list("asset", flat=True), workspace.base_asset}
    found = [asset for asset in known if asset.partition("/")[0] == code]
    return Asset.parse(found[0]) if len(found) == 1 else None


def portfolio_of(
    workspace: Workspace,
    base: Asset | None,
    *,
    table: Table | None = None,
    over: timedelta = DAY,
) -> Portfolio:
    """Return what `workspace` is worth in `base`, compared to `over` ago.

    Without accounts no base is needed.

    Keys of the holdings are accounts, each with its balance and its parent.
    """
    moment = now()
    rows = held(workspace, moment - over)
    known = [holding(row, moment - over) for row in rows]
    mine = Connection.objects.in_use().filter(workspace=workspace)
    whole = not mine.filter(error_code=INCOMPLETE).exists()
    return Portfolio(known, base, table or table_of(workspace), moment, whole=whole)


def held(workspace: Workspace, since: datetime) -> QuerySet[Account]:
    """Return the accounts with what the history says they held at `since`."""
    before = BalanceSnapshot.objects.filter(account=OuterRef("pk"), as_of__lte=since)
    past = Subquery(before.order_by("-as_of").values("total")[:1])
    rows = counted_since(workspace, since).select_related(
        "balance", "connection", "parent"
    )
    return rows.annotate(past_total=past).order_by("provider", "name", "created")


def holding(row: Account, since: datetime) -> Holding:
    """Return an account as the reckoning knows it."""
    balance: Balance | None = getattr(row, "balance", None)
    told = {"closed": row.closed_at is not None}
    if balance is None:
        return Holding(row, row.provider, row.unit, None, past=row.past_total, **told)
    interval = timedelta(seconds=row.connection.sync_interval_seconds)
    unchanged = balance.as_of <= since
    return Holding(
        row,
        row.provider,
        row.unit,
        int(balance.total),
        stale=bool(balance.trouble) or balance.is_overdue(interval),
        past=int(balance.total) if unchanged else row.past_total,
        # What a person counted holds until it is counted anew.
        confirmed=balance.fetched_at > since or balance.source == Source.MANUAL,
        **told,
    )


def worth_over_time(
    workspace: Workspace,
    base: Asset | None,
    length: timedelta,
    *,
    until: datetime,
    table: Table | None = None,
) -> Course:
    """Return what `workspace` was worth over `length` until then, by the rates of now."""
    found = sums(workspace, until - length, until)
    return course(found, base, table or table_of(workspace), length)


def sums(workspace: Workspace, since: datetime, until: datetime) -> Iterator[Sum]:
    """Yield what was held of each asset at the end of each column."""
    ids = list(counted_since(workspace, since).values_list("pk", flat=True))
    names = {
        "accounts": Account._meta.db_table,
        "balances": Balance._meta.db_table,
        "days": BalanceDay._meta.db_table,
        "snapshots": BalanceSnapshot._meta.db_table,
    }
    with connection.cursor() as cursor:
        cursor.execute(SUMS.format(**names), [moments(since, until), ids])
        for at, asset, total, whose in cursor.fetchall():
            yield Sum(at - 1, Asset.parse(asset), int(total), whose)
