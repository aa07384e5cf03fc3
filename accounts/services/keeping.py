"""Keeps history in order: months to come, and what is given up of those long past.

Whatever is given up has its day in `BalanceDay`. It goes through the one bypass of the
append-only triggers, which is named here alone, and the audit tells of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

import structlog
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from accounts.models import Account

from .auditing import audit

log = structlog.get_logger(__name__)

AHEAD = 2  # months that are there before anything happens in them
BATCH = 5_000  # rows deleted by one statement: it has a few seconds
PASSES = "SET LOCAL balsync.retention = 'on'"
# A month that is added or dropped waits for whoever reads all of history, and makes
# others wait meanwhile: tomorrow is another day.
PATIENCE = "SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '60s'"

TO_ADD = "SELECT month FROM accounts_months_to_add(%s) AS month"
ADD = "SELECT accounts_add_month(%s)"

# From now on these days are known by their figures, whoever asks; then rows may go.
DUE = """
WITH due AS (
  SELECT id, (date_trunc('day', now() AT TIME ZONE 'UTC') - keep_days * interval '1 day')
    AT TIME ZONE 'UTC' AS until
  FROM accounts_account WHERE keep_days IS NOT NULL
)
UPDATE accounts_account a SET days_only_until = due.until FROM due
WHERE a.id = due.id AND coalesce(a.days_only_until, '-infinity') < due.until
AND EXISTS (SELECT FROM accounts_balanceday d
            WHERE d.account_id = a.id AND d.first_at < due.until)
"""

# The newest of all, and the newest that was heard, stay whatever their age.
OLD = """
SELECT s.account_id, s.as_of FROM accounts_account a
JOIN accounts_balancesnapshot s ON s.account_id = a.id AND s.as_of < a.days_only_until
WHERE EXISTS (SELECT FROM accounts_balancesnapshot n
              WHERE n.account_id = a.id AND n.as_of > s.as_of AND n.source <> 'import')
LIMIT %s
"""
GIVE_UP = f"""
WITH old AS ({OLD}), gone AS (
  DELETE FROM accounts_balancesnapshot s USING old
  WHERE s.account_id = old.account_id AND s.as_of = old.as_of
  RETURNING s.account_id, s.as_of
), names AS (
  DELETE FROM accounts_snapshotkey k USING gone
  WHERE k.account_id = gone.account_id AND k.as_of = gone.as_of
)
SELECT account_id, count(*), max(as_of) FROM gone GROUP BY account_id
"""

MONTHS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'accounts_balancesnapshot'::regclass
AND c.relname < 'accounts_balancesnapshot_'
  || to_char(now() AT TIME ZONE 'UTC' - interval '1 month', 'YYYY_MM')
ORDER BY 1
"""
# No row of the month must stay: all are due, and each account was heard of since.
NEEDLESS = """
SELECT NOT EXISTS (
  SELECT FROM {month} s JOIN accounts_account a ON a.id = s.account_id
  WHERE s.as_of >= coalesce(a.days_only_until, '-infinity'))
AND NOT EXISTS (
  SELECT FROM (SELECT account_id, max(as_of) AS as_of FROM {month} GROUP BY 1) m
  WHERE NOT EXISTS (SELECT FROM accounts_balancesnapshot n
                    WHERE n.account_id = m.account_id AND n.as_of > m.as_of
                    AND n.source <> 'import'))
"""
FORGET_NAMES = """
DELETE FROM accounts_snapshotkey k USING {month} s
WHERE k.account_id = s.account_id AND k.as_of = s.as_of
"""
TOLD = "SELECT account_id, count(*), max(as_of) FROM {month} GROUP BY account_id"

# Accounts grow side by side, which leaves the pages of their index half empty. Once a
# month is over they are written anew; a packed one has half the bytes of its rows.
LOOSE = """
SELECT i.indexrelid::regclass::text
FROM pg_inherits p JOIN pg_index i ON i.indrelid = p.inhrelid AND i.indisprimary
JOIN pg_class c ON c.oid = p.inhrelid
WHERE p.inhparent = 'accounts_balancesnapshot'::regclass
AND c.relname < 'accounts_balancesnapshot_' || to_char(
  now() AT TIME ZONE 'UTC', 'YYYY_MM')
AND pg_relation_size(i.indexrelid) > greatest(
  %s, pg_relation_size(p.inhrelid) * 0.6)
ORDER BY 1
"""
WORTH_IT = 2**20  # bytes


def keep_history() -> None:
    """Add the months to come, and give up what no account keeps any longer.

    May be repeated, and broken off anywhere: the next time goes on.
    """
    add_months()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(DUE)
    drop_months()
    while give_up():
        pass
    pack_months()


def add_months() -> list[str]:
    """Add the months that are missing, with what waits for them; return their first days."""
    with connection.cursor() as cursor:
        cursor.execute(TO_ADD, [AHEAD])
        months = [month for (month,) in cursor.fetchall()]
    for month in months:
        with patiently(month=str(month)) as cursor:
            cursor.execute(ADD, [month])
    return [str(month) for month in months]


def give_up() -> int:
    """Delete some of the snapshots that are due, and return how many these were."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(PASSES)
        cursor.execute(GIVE_UP, [BATCH])
        return tell(cursor)


def drop_months() -> None:
    """Drop the months of which every snapshot is due, and those that are empty."""
    with connection.cursor() as cursor:
        cursor.execute(MONTHS)
        months = [name for (name,) in cursor.fetchall()]
    for name in months:
        month = connection.ops.quote_name(name)
        with patiently(month=name) as cursor:
            cursor.execute(NEEDLESS.format(month=month))
            if cursor.fetchone() != (True,):
                continue
            # Nothing more is written there before it is gone.
            cursor.execute(f"LOCK TABLE {month} IN ACCESS EXCLUSIVE MODE")
            cursor.execute(NEEDLESS.format(month=month))
            if cursor.fetchone() == (True,):
                cursor.execute(FORGET_NAMES.format(month=month))
                cursor.execute(TOLD.format(month=month))
                tell(cursor)
                cursor.execute(f"DROP TABLE {month}")
                log.info("history_month_dropped", month=name)


def pack_months(least: int = WORTH_IT) -> list[str]:
    """Write the loose indexes of months that are over anew, and return their names."""
    with connection.cursor() as cursor:
        cursor.execute(LOOSE, [least])
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        with patiently(index=name) as cursor:
            cursor.execute(f"REINDEX INDEX {name}")
    return names


@contextmanager
def patiently(**about: str) -> Iterator[CursorWrapper]:
    """Open a transaction that rather gives way than keeps others waiting."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(PATIENCE)
            yield cursor
    except OperationalError as error:
        log.warning("history_busy", error=str(error), **about)


def tell(cursor: CursorWrapper) -> int:
    """Tell of each account what it gave up, and return how many snapshots that was.

    The audit has one event for each workspace, the log a line for each account.
    """
    given: list[tuple[UUID, int, datetime]] = cursor.fetchall()
    places = Account.objects.in_bulk([account for account, _, _ in given])
    of: dict[UUID, list[tuple[int, datetime]]] = {}
    for account, count, last in given:
        of.setdefault(places[account].workspace_id, []).append((count, last))
        log.info(
            "history_given_up",
            account=str(account),
            snapshots=count,
            until=last.isoformat(),
        )
    for workspace, told in of.items():
        counts, lasts = zip(*told, strict=True)
        new = {"accounts": len(told), "snapshots": sum(counts), "until": max(lasts)}
        audit("history.given_up", workspace=workspace, kind="balancesnapshot", new=new)
    return sum(count for _, count, _ in given)
