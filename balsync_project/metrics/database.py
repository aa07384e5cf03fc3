"""Figures out of the rows: a handful of statements, labels of which there are few.

No label names an account, a connection or a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from prometheus_client.core import GaugeMetricFamily, Metric

from accounts.models import Connection, SyncRun
from automation.models import RuleRun, Transfer

Row = Sequence[Any]
QUANTILES = ("0.5", "0.95", "0.99")

SYNCS = """
WITH recent AS (
  SELECT c.provider, r.kind, r.status, r.requests,
         extract(epoch FROM r.finished - r.started)::float8 AS took
  FROM accounts_syncrun r JOIN accounts_connection c ON c.id = r.connection_id
  WHERE r.created > now() - interval '1 hour'
)
SELECT provider, kind, status, count(*), sum(requests),
       percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY took)
FROM recent
GROUP BY GROUPING SETS ((provider, kind, status), (provider))
"""
# As `services.balances` says it of one account.
BALANCES = """
SELECT c.provider, count(*), count(*) FILTER (WHERE b.account_id IS NULL),
       count(*) FILTER (WHERE b.fetched_at <
         now() - greatest(%s, c.sync_interval_seconds * %s)),
       extract(epoch FROM now() - min(b.fetched_at))::float8
FROM accounts_account a
JOIN accounts_connection c ON c.id = a.connection_id AND c.archived_at IS NULL
LEFT JOIN accounts_balance b ON b.account_id = a.id
WHERE a.active AND a.closed_at IS NULL
AND coalesce(b.source, '') NOT IN ('manual', 'import')
GROUP BY c.provider
"""
CONNECTIONS = """
SELECT provider, health, count(*),
       extract(epoch FROM now() - min(last_success_at))::float8,
       extract(epoch FROM now() - max(last_success_at))::float8,
       extract(epoch FROM min(consent_expires_at) - now())::float8
FROM accounts_connection WHERE archived_at IS NULL
GROUP BY GROUPING SETS ((provider, health), (provider))
"""
WORK = """
WITH waiting (work, since) AS (
  SELECT 'sync', next_sync_at FROM accounts_connection
  WHERE archived_at IS NULL AND next_sync_at <= now()
  UNION ALL
  SELECT 'requested_sync', created FROM accounts_syncrun WHERE status = 'requested'
  UNION ALL
  SELECT 'rule', next_due_at FROM automation_rule
  WHERE enabled AND archived_at IS NULL AND next_due_at <= now()
  UNION ALL
  SELECT 'run', next_attempt_at FROM automation_rulerun
  WHERE status IN ('due', 'notified', 'awaiting_approval', 'planned', 'running')
  AND next_attempt_at <= now()
  UNION ALL
  SELECT 'transfer', next_attempt_at FROM automation_transfer
  WHERE status IN ('pending', 'sending', 'unknown') AND next_attempt_at <= now()
  UNION ALL
  SELECT 'delivery', next_attempt_at FROM accounts_delivery
  WHERE status = 'pending' AND next_attempt_at <= now()
)
SELECT work, count(*), extract(epoch FROM now() - min(since))::float8
FROM waiting GROUP BY work
"""
KINDS_OF_WORK = ("sync", "requested_sync", "rule", "run", "transfer", "delivery")
RUNS = """
SELECT status, count(*) FROM automation_rulerun
WHERE created > now() - interval '1 day'
OR status IN ('due', 'notified', 'awaiting_approval', 'planned', 'running')
GROUP BY status
"""
TRANSFERS = """
SELECT status, count(*), count(*) FILTER (WHERE needs_person)
FROM automation_transfer
WHERE created > now() - interval '1 day' OR needs_person
OR status IN ('pending', 'sending', 'unknown')
GROUP BY status
"""
ANSWERS = """
SELECT count(*), coalesce(sum(replays), 0) FROM (
  SELECT replays FROM accounts_idempotencykey
  WHERE created > now() - interval '1 hour'
  UNION ALL
  SELECT replays FROM accounts_snapshotkey
  WHERE created > now() - interval '1 hour' AND scope = 'client') AS answers
"""


def figures() -> Iterator[Metric]:
    """Yield every figure that the rows tell; raises DatabaseError."""
    yield from syncs(rows(SYNCS))
    fresh = (Connection.FRESH, Connection.FRESH_INTERVALS * timedelta(seconds=1))
    yield from balances(rows(BALANCES, fresh))
    yield from connections(rows(CONNECTIONS))
    yield from work({row[0]: row for row in rows(WORK)})
    yield from money(rows(RUNS), rows(TRANSFERS))
    yield from answers(rows(ANSWERS)[0])


def rows(statement: str, values: Sequence[Any] = ()) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[Row] = cursor.fetchall()
        return found


def gauge(
    name: str, text: str, labels: Sequence[str], values: Iterable[Row]
) -> GaugeMetricFamily:
    """Return one figure; each value stands after its labels, None is left out."""
    family = GaugeMetricFamily(f"balsync_{name}", text, labels=labels)
    for *at, value in values:
        if value is not None:
            family.add_metric([str(label) for label in at], float(value))
    return family


def syncs(found: list[Row]) -> Iterator[Metric]:
    """Yield what became of the last hour's syncs, and how long they took."""
    kinds = [row for row in found if row[1] is not None]
    whole = [(row[0], *row[3:]) for row in found if row[1] is None]
    yield gauge(
        "sync_runs_1h",
        "Syncs of the last hour.",
        ["provider", "kind", "status"],
        [(row[0], *row[1:4]) for row in kinds],
    )
    yield gauge(
        "sync_success_ratio_1h",
        "Which part of the syncs that ended within the last hour was ok.",
        ["provider"],
        success(kinds),
    )
    yield gauge(
        "sync_duration_seconds_1h",
        "How long the syncs of the last hour took.",
        ["provider", "quantile"],
        [
            (name, quantile, took)
            for name, _, _, durations in whole
            for quantile, took in zip(QUANTILES, durations or (), strict=False)
        ],
    )
    yield gauge(
        "provider_requests_1h",
        "Calls to providers by the syncs of the last hour.",
        ["provider"],
        [(name, requests) for name, _, requests, _ in whole],
    )


def success(kinds: list[Row]) -> Iterator[Row]:
    ended: dict[str, list[int]] = {}
    for name, _, status, count, *_ in kinds:
        if status not in SyncRun.UNFINISHED:
            good = count if status == SyncRun.Status.OK else 0
            sums = ended.setdefault(name, [0, 0])
            sums[0], sums[1] = sums[0] + good, sums[1] + count
    for name, (good, count) in ended.items():
        yield name, Decimal(good) / count


def balances(found: list[Row]) -> Iterator[Metric]:
    for at, (name, text) in enumerate(
        (
            ("accounts", "Accounts that a provider is asked about."),
            ("balances_unknown", "Accounts whose balance was never read."),
            ("balances_stale", "Accounts whose balance is older than it should be."),
            (
                "balance_oldest_seconds",
                "Age of the balance that was confirmed longest ago.",
            ),
        ),
        start=1,
    ):
        yield gauge(name, text, ["provider"], [(row[0], row[at]) for row in found])


def connections(found: list[Row]) -> Iterator[Metric]:
    healths = [row for row in found if row[1] is not None]
    whole = [(row[0], *row[3:]) for row in found if row[1] is None]
    yield gauge(
        "connections",
        "Connections in use.",
        ["provider", "health"],
        [(row[0], *row[1:3]) for row in healths],
    )
    for at, (name, text) in enumerate(
        (
            ("good_sync_oldest_seconds", "The longest that a connection goes without."),
            ("good_sync_newest_seconds", "Since any connection's last good sync."),
            ("consent_seconds_left", "Until the first consent ends; below 0: ended."),
        ),
        start=1,
    ):
        yield gauge(name, text, ["provider"], [(row[0], row[at]) for row in whole])


def work(found: dict[str, Row]) -> Iterator[Metric]:
    """Yield what should have been begun by now; what is not there counts as none."""
    told = [found.get(kind, (kind, 0, 0.0)) for kind in KINDS_OF_WORK]
    text = "What is due and has not been begun."
    yield gauge("work_waiting", text, ["work"], [row[:2] for row in told])
    text = "For how long the first of it has been due."
    values = [(row[0], row[2]) for row in told]
    yield gauge("work_waiting_seconds", text, ["work"], values)


def money(runs: list[Row], transfers: list[Row]) -> Iterator[Metric]:
    """Yield runs and transfers: each status there is, also where it counts none."""
    yield gauge(
        "runs",
        "Runs that were begun within a day or are unfinished.",
        ["status"],
        counted(RuleRun.Status.values, runs),
    )
    yield gauge(
        "transfers",
        "Transfers that were planned within a day, are unsettled or need a person.",
        ["status"],
        counted(Transfer.Status.values, [row[:2] for row in transfers]),
    )
    text = "Transfers that only a person can settle."
    needed = sum(row[2] for row in transfers)
    yield gauge("transfers_need_person", text, [], [(needed,)])


def counted(statuses: Iterable[str], found: list[Row]) -> list[Row]:
    known = dict(found)
    return [(status, known.get(status, 0)) for status in statuses]


def answers(found: Row) -> Iterator[Metric]:
    first, again = found
    yield gauge(
        "idempotent_answers_1h",
        "Answers to keys that were new within the last hour, first or repeated.",
        ["answer"],
        [("first", first), ("repeated", again)],
    )
