"""The conditions that accounts and connections may be in, read from their rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce

from accounts.events.rising import RANK
from accounts.models import (
    Account,
    Condition,
    Connection,
    Discrepancy,
    QuarantinedReading,
    Severity,
    Threshold,
)
from accounts.moneyjson import money
from accounts.validation import Unacceptable
from providers.money import Asset, pretty

from .conditions import Found, watch
from .streams import lost_streams

SOON = timedelta(days=7)
VERY_SOON = timedelta(days=1)
VERY_OLD = timedelta(days=1)
# One failed try is no news: the next follows within seconds.
FAILURES = 2
MUCH_TOO_LONG = 4  # times the silence that is told

# As `services.balances` says it of one account.
STALE = """
SELECT c.id, c.workspace_id, coalesce(nullif(c.label, ''), c.provider), count(*),
       min(b.fetched_at)
FROM accounts_balance b
JOIN accounts_account a ON a.id = b.account_id AND a.active AND a.closed_at IS NULL
JOIN accounts_connection c ON c.id = a.connection_id AND c.archived_at IS NULL
WHERE b.source NOT IN ('manual', 'import')
AND b.fetched_at < %s
  - greatest(%s, c.sync_interval_seconds * %s)
GROUP BY c.id
"""


def refusals(kind: type[Unacceptable] = Unacceptable) -> list[str]:
    """Return the codes of all reasons not to believe an answer."""
    return [kind.code, *(code for k in kind.__subclasses__() for code in refusals(k))]


@watch("stale")
def stale(moment: datetime) -> Iterator[Found]:
    """Yield connections with balances that nobody has confirmed for too long."""
    with connection.cursor() as cursor:
        per_second = Connection.FRESH_INTERVALS * timedelta(seconds=1)
        cursor.execute(STALE, [moment, Connection.FRESH, per_second])
        rows = cursor.fetchall()
    for pk, workspace, name, count, oldest in rows:
        yield Found(
            f"stale:{pk}",
            workspace,
            "connection",
            pk,
            Severity.ERROR if moment - oldest > VERY_OLD else Severity.WARNING,
            f"{name}: {count} balances are older than they should be",
            {"connection": str(pk), "accounts": count, "since": oldest.isoformat()},
        )


def failing(kind: str, row: Connection, severity: str, text: str) -> Found:
    good = row.last_success_at
    return Found(
        f"{kind}:{row.pk}",
        row.workspace_id,
        "connection",
        row.pk,
        severity,
        text,
        {
            "connection": str(row.pk),
            "error_code": row.error_code,
            "last_success_at": good.isoformat() if good else None,
        },
    )


@watch("fallback_activated")
def falling_back(moment: datetime) -> Iterator[Found]:
    """Yield connections that fail, and those that have not worked again since."""
    told = Condition.objects.filter(kind="fallback_activated", holds=True)
    unproven = Q(Exists(told.filter(subject_id=OuterRef("pk")))) & ~Q(
        health=Connection.Health.OK
    )
    rows = Connection.objects.in_use().exclude(last_success_at=None)
    for row in rows.filter(Q(failures__gte=FAILURES) | unproven).defer("credentials"):
        person = row.health == Connection.Health.RECONNECT_NEEDED
        text = f"{row} fails: its last good balances are shown"
        severity = Severity.ERROR if person else Severity.WARNING
        text = f"{text}, and only a person can connect it again" if person else text
        yield failing("fallback_activated", row, severity, text)
    yield from lost_streams(moment)


@watch("no_good_sync")
def unheard(moment: datetime) -> Iterator[Found]:
    """Yield connections that had no good sync for hours, whatever the reason."""
    rows = Connection.objects.in_use().exclude(next_sync_at=None)
    heard = Coalesce("last_success_at", "created")
    old = rows.alias(heard=heard).filter(heard__lt=moment - settings.NO_SYNC_ALARM)
    for row in old.defer("credentials"):
        silent = row.silent_for(moment)
        if silent > row.silent_after:
            text = f"{row} had no good sync for {_hours(silent)}"
            worse = silent > MUCH_TOO_LONG * row.silent_after
            severity = Severity.CRITICAL if worse else Severity.ERROR
            yield failing("no_good_sync", row, severity, text)


def _hours(span: timedelta) -> str:
    """Return a stretch of time in whole hours, or minutes where it is less than two."""
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"


@watch("validation_failed")
def not_believed(moment: datetime) -> Iterator[Found]:
    """Yield connections whose newest answer contradicts itself or what is known."""
    rows = Connection.objects.in_use().filter(error_code__in=refusals())
    for row in rows.defer("credentials"):
        text = f"An answer of {row} is not believed: {row.error}"
        yield failing("validation_failed", row, Severity.ERROR, text)
    yield from _in_quarantine()


def _in_quarantine() -> Iterator[Found]:
    """Yield what readings are in quarantine, by connection and rule."""
    waiting = QuarantinedReading.objects.waiting().filter(
        connection__archived_at=None, account__closed_at=None
    )
    # Told above already: nothing of such an answer was believed.
    waiting = waiting.exclude(connection__error_code__in=refusals())
    alike: dict[tuple, list[QuarantinedReading]] = {}
    rows = waiting.select_related("account", "connection")
    for row in rows.defer("connection__credentials").order_by("created"):
        alike.setdefault((row.connection_id, row.rule), []).append(row)
    for same in alike.values():
        yield _distrusted(same)


def _distrusted(rows: list[QuarantinedReading]) -> Found:
    newest, count = rows[-1], len(rows)
    connection = newest.connection
    return Found(
        f"validation_failed:{connection.pk}:{newest.rule}",
        connection.workspace_id,
        "connection",
        connection.pk,
        max((row.severity for row in rows), key=RANK.__getitem__),
        f"{newest.account or connection} is not believed: {newest.text}"
        + (f", and {count - 1} more" if count > 1 else ""),
        {
            "connection": str(connection.pk),
            "rule": newest.rule,
            "readings": [str(row.pk) for row in rows[:20]],
            "accounts": [str(row.account_id) for row in rows[:20] if row.account_id],
            "count": count,
        },
    )


@watch("account_protected")
def protected(moment: datetime) -> Iterator[Found]:
    """Yield accounts that no rule may move money in or out of."""
    rows = Account.objects.open().exclude(protected_at=None)
    for row in rows.filter(connection__archived_at=None):
        drifts = bool(row.protected_reason)
        why = f" after drift: {row.protected_reason}" if drifts else " by a person"
        yield Found(
            f"account_protected:{row.pk}",
            row.workspace_id,
            "account",
            row.pk,
            Severity.ERROR if drifts else Severity.INFO,
            f"{row} is protected{why}. No rule moves its money",
            {
                "account": str(row.pk),
                "name": str(row),
                "reason": row.protected_reason,
                "clean_syncs_left": row.clean_syncs_left,
            },
        )


@watch("consent_expiring")
def expiring(moment: datetime) -> Iterator[Found]:
    """Yield connections whose consent ends within a week, or has ended."""
    rows = Connection.objects.in_use().filter(consent_expires_at__lt=moment + SOON)
    for row in rows.defer("credentials"):
        left = row.consent_expires_at - moment
        ends = "ended" if left <= timedelta() else "ends"
        yield Found(
            f"consent_expiring:{row.pk}",
            row.workspace_id,
            "connection",
            row.pk,
            urgency(left),
            f"The consent of {row} {ends} on "
            f"{row.consent_expires_at:%Y-%m-%d %H:%M} UTC",
            {
                "connection": str(row.pk),
                "expires_at": row.consent_expires_at.isoformat(),
                "days_left": left.days,
            },
        )


def urgency(left: timedelta) -> str:
    """Return how bad it is that a consent ends so soon."""
    if left <= timedelta():
        return Severity.CRITICAL
    return Severity.ERROR if left <= VERY_SOON else Severity.WARNING


@watch("low_balance")
def low(moment: datetime) -> Iterator[Found]:
    """Yield accounts in which less is available than somebody wants."""
    rows = Threshold.objects.filter(account__balance__available__lt=F("low"))
    rows = rows.filter(account__closed_at=None, account__connection__archived_at=None)
    rows = rows.filter(account__active=True)  # of another nobody knows what it has
    for row in rows.select_related("account__balance", "preference"):
        account, asset = row.account, row.account.asset
        has = account.balance.available
        amounts = [pretty(int(a), Asset.parse(asset)) for a in (has, row.low)]
        yield Found(
            f"low_balance:{row.pk}",
            account.workspace_id,
            "account",
            account.pk,
            Severity.ERROR if has < 0 else Severity.WARNING,
            f"{account} has {amounts[0]} available, less than {amounts[1]}",
            {
                "account": str(account.pk),
                "name": str(account),
                "available": money(has, asset),
                "threshold": money(row.low, asset),
            },
            row.preference.user_id,
        )


@watch("drift")
def drift(moment: datetime) -> Iterator[Found]:
    """Yield what does not agree, by account and kind of difference."""
    open_ = Discrepancy.objects.filter(status=Discrepancy.Status.OPEN)
    # Below its account's limits one is recorded, and not told.
    open_ = open_.exclude(severity=Severity.INFO)
    here = open_.filter(account__connection__archived_at=None, account__closed_at=None)
    alike: dict[tuple, list[Discrepancy]] = {}
    for row in here.select_related("account").order_by("created"):
        alike.setdefault((row.account_id, row.name), []).append(row)
    for rows in alike.values():
        worst = max((row.severity for row in rows), key=RANK.__getitem__)
        yield _difference(len(rows), worst, rows[-1])


def _difference(count: int, severity: str, example: Discrepancy) -> Found:
    account = example.account
    gap = example.actual - example.expected
    return Found(
        f"drift:{account.pk}:{example.name}",
        account.workspace_id,
        "account",
        account.pk,
        severity,
        f"{account}: {example.name.replace('_', ' ')} is off by "
        f"{pretty(gap, account.unit)}"
        + (f", and {count - 1} more such differences" if count > 1 else ""),
        {
            "account": str(account.pk),
            "name": example.name,
            "count": count,
            "discrepancy": str(example.pk),
            "expected": money(example.expected, account.asset),
            "actual": money(example.actual, account.asset),
            "difference": money(gap, account.asset),
        },
    )
