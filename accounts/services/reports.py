"""What a sync found and changed, all of it, to be read line by line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from accounts.models import Correction, QuarantinedReading, SyncRun
from accounts.trading.files import Line
from accounts.trading.progress import Progress

AT_ONCE = 2_000


def report_head(run: SyncRun) -> dict[str, Any]:
    """Return what a report says of the sync as a whole, in JSON's words."""
    progress = None if run.progress is None else Progress.read(run.progress)
    return {
        "sync": str(run.pk),
        "connection": str(run.connection_id),
        "kind": run.kind,
        "status": run.status,
        "started": run.started and run.started.isoformat(),
        "finished": run.finished and run.finished.isoformat(),
        "requests": run.requests,
        "error_code": run.error_code,
        "error": run.error,
        "accounts": run.results,
        "trading": progress and told(progress),
    }


def told(progress: Progress) -> dict[str, Any]:
    """Return how far orders and trades were read, as other systems are told."""
    return {
        "stage": progress.stage,
        "percent": progress.part,
        "books": progress.books,
        "books_read": progress.books_read,
        "pages": progress.pages,
        "orders": progress.orders,
        "trades": progress.trades,
        "positions": progress.positions,
        "looked_up": progress.looked_up,
        "new": progress.found,
        "corrections": progress.changed,
        "problems": progress.problems,
        "waits_until": progress.waits_until or None,
    }


def report_lines(run: SyncRun) -> Iterator[Line]:
    """Yield every correction of a sync, the oldest first, then what it doubted."""
    changed = run.corrections.select_related("account").order_by("created", "pk")
    doubted = run.quarantine.select_related("account").order_by("created", "pk")
    return chain(
        map(_correction, changed.iterator(AT_ONCE)),
        map(_finding, doubted.iterator(AT_ONCE)),
    )


def _correction(row: Correction) -> Line:
    account = row.account
    return Line(
        "correction",
        row.subject_kind,
        str(row.subject_id or row.account_id),
        account.external_id if account else row.subject,
        account.asset if account else "",
        row.field,
        row.old,
        row.new,
        row.difference,
        row.severity,
        row.reason,
        row.created.isoformat(),
    )


def _finding(row: QuarantinedReading) -> Line:
    account = row.account
    return Line(
        "finding",
        "account" if account else "answer",
        str(row.account_id or ""),
        row.external_id,
        account.asset if account else "",
        row.rule,
        "",
        "" if row.total is None else str(row.total),
        "",
        row.severity,
        row.text,
        row.created.isoformat(),
    )
