"""Writes down transactions, and forgets the old ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.utils.timezone import now

from accounts.models import Transaction
from accounts.models.idempotency import delete_in_batches
from accounts.text import clean, clean_json
from providers.base import Movement

from . import statements
from .reading import Visit

log = structlog.get_logger(__name__)
AT_ONCE = 5_000  # rows of one statement


def write_all(visits: Iterable[tuple[Mapping[str, UUID], Visit]]) -> set[UUID]:
    """Store what the visits heard, once per id, and where the next visit starts.

    Returns the accounts of which they heard anything new, or told otherwise than before.
    """
    rows, cursors, news = {}, [], set()
    for ids, visit in visits:
        for name, history in visit.histories.items():
            if (account := ids.get(name)) is None:
                continue
            if history.truncated and name not in visit.before:
                log.debug("The provider gives no older history", account=str(account))
            cursors.append((account, history.cursor[:200], visit.fetched_at))
            for movement in history.movements:
                if movement.created >= visit.since:
                    row = _row(account, movement)
                    rows[row[:2]] = row  # by its id as it is kept, which may be cut
    ordered = [rows[key] for key in sorted(rows)]
    for start in range(0, len(ordered), AT_ONCE):
        some = zip(*ordered[start : start + AT_ONCE], strict=True)
        news |= {account for (account,) in statements.ask(statements.MOVEMENTS, *some)}
    statements.write(statements.CURSORS, sorted(cursors))
    return news


def _row(account: UUID, movement: Movement) -> tuple[Any, ...]:
    return (
        account,
        clean(movement.external_id, 100),
        movement.amount,
        movement.asset,
        movement.created,
        movement.settled,
        clean(movement.declined, 60),
        clean(movement.description, 300),
        clean(movement.counterparty, 200),
        clean(movement.merchant, 200),
        clean(movement.category, 60),
        clean(movement.pot, 100),
        clean(movement.dedupe_id, 100),
        clean_json(dict(movement.metadata)),
    )


def forget_old() -> int:
    """Delete transactions older than TRANSACTION_DAYS and return how many they were."""
    oldest = now() - timedelta(days=settings.TRANSACTION_DAYS)
    return delete_in_batches(Transaction.objects.filter(created__lt=oldest).order_by())
