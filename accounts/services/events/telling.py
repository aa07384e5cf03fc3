"""Writes events in the transaction of what they tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.timezone import now

from accounts.events import Phase
from accounts.events.changes import is_enough
from accounts.models import Account, Channel, Event, Preference, Severity, Threshold
from accounts.models.idempotency import delete_in_batches
from accounts.moneyjson import money
from accounts.signals import BalanceChange, events_written
from providers.money import Asset, pretty

# A price that jumps up and down is told this often, and no more.
GAP = timedelta(minutes=5)

# Asked with every batch of a sync, so not worked out by Django each time.
ANYBODY = """
SELECT EXISTS (
  SELECT 1 FROM accounts_channel c JOIN accounts_preference p ON p.id = c.preference_id
  WHERE c.enabled AND p.kinds ?| ARRAY['balance_update', 'balance_change'])
"""


def tell(events: Sequence[Event]) -> None:
    """Write `events` now; they are delivered once the transaction is committed."""
    if events:
        Event.objects.bulk_create(events)
        announce = partial(events_written.send, sender=Event)
        transaction.on_commit(announce, robust=True)


def forget_old() -> int:
    """Delete events, with their deliveries, that are older than 90 days."""
    return delete_in_batches(Event.objects.filter(created__lt=now() - Event.KEPT))


def listened_to(kind: str) -> QuerySet[Preference]:
    """Return the settings of those who want to hear of `kind`, and can be reached."""
    reachable = Channel.objects.filter(preference=OuterRef("pk"), enabled=True)
    return Preference.objects.filter(Exists(reachable), kinds__contains=[kind])


def tell_changes(changes: Sequence[BalanceChange]) -> None:
    """Write what of `changes` anybody wants to hear of: one query where nobody does."""
    if _anybody_listens():
        by_account = {change.account_id: change for change in changes}
        tell([*_updates(by_account), *_reached(by_account)])


def _anybody_listens() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(ANYBODY)
        return cursor.fetchone()[0]


def _updates(changes: Mapping[UUID, BalanceChange]) -> Iterator[Event]:
    there = list(listened_to("balance_update").values_list("workspace", flat=True))
    if there:
        rows = Account.objects.filter(pk__in=changes, workspace__in=there)
        for account in rows.order_by("pk"):
            yield _update(account, changes[account.pk])


def _update(account: Account, change: BalanceChange) -> Event:
    amount = _pretty(change.new, account.asset)
    return _event(
        "balance_update",
        account,
        f"{account} holds {amount}",
        key=f"balance_update:{account.pk}",
        data=_data(account, change, change.old),
    )


def _reached(changes: Mapping[UUID, BalanceChange]) -> Iterator[Event]:
    """Yield the changes that reach a threshold, and begin to measure from there anew."""
    wanting = list(listened_to("balance_change").values_list("pk", flat=True))
    if not wanting:
        return
    rows = Threshold.objects.filter(account__in=changes, preference__in=wanting)
    rows = rows.exclude(change=None, change_percent=None)
    moment = now()
    locked = rows.select_related("account", "preference").select_for_update(
        of=("self",)
    )
    for row in locked.order_by("pk"):
        change = changes[row.account_id]
        before = change.old if row.told_total is None else row.told_total
        if before is None or _told_lately(row, moment):
            _measure_from(row, change.new if before is None else before, row.told_at)
        elif is_enough(
            before, change.new, least=row.change, percent=row.change_percent
        ):
            _measure_from(row, change.new, moment)
            yield _change(row, change, before)
        else:
            _measure_from(row, before, row.told_at)


def _told_lately(row: Threshold, moment: datetime) -> bool:
    return row.told_at is not None and moment < row.told_at + GAP


def _measure_from(row: Threshold, total: int, told_at: datetime | None) -> None:
    if (row.told_total, row.told_at) != (total, told_at):
        row.told_total, row.told_at = total, told_at
        row.save(update_fields=["told_total", "told_at"])


def _change(row: Threshold, change: BalanceChange, before: int) -> Event:
    account = row.account
    word = "rose" if change.new > before else "fell"
    amounts = [
        _pretty(a, account.asset) for a in (abs(change.new - before), change.new)
    ]
    return _event(
        "balance_change",
        account,
        f"{account} {word} by {amounts[0]} to {amounts[1]}",
        key=f"balance_change:{row.pk}",
        data=_data(account, change, before),
        recipient_id=row.preference.user_id,
    )


def _data(account: Account, change: BalanceChange, before: int | None) -> dict:
    asset = account.asset
    return {
        "account": str(account.pk),
        "name": str(account),
        "total": money(change.new, asset),
        "available": money(change.new_available, asset),
        "before": None if before is None else money(before, asset),
        "change": None if before is None else money(change.new - before, asset),
    }


def _pretty(minor: int, asset: str) -> str:
    return pretty(minor, Asset.parse(asset))


def _event(kind: str, account: Account, text: str, **more: Any) -> Event:
    return Event(
        workspace_id=account.workspace_id,
        kind=kind,
        phase=Phase.ONCE,
        severity=Severity.INFO,
        subject_kind="account",
        subject_id=account.pk,
        text=text,
        **more,
    )
