"""Recovery by asking: what the provider's own ledger says of an earlier attempt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from accounts.models import Account, Transaction
from accounts.services import call
from automation import machine
from automation.machine import events
from automation.machine.events import SKEW
from automation.machine.recovery import Entry, Wanted, recognise
from automation.models import Transfer
from providers.base import Movement, Provider
from providers.errors import ProviderError
from providers.wire import Call

from .routes import place

# Clocks differ, and ours may have been wrong by hours. By its id an early entry is
# recognised as well; without one, entries from before the first attempt would be taken
# for it: those must not be older than clocks that are right may differ.
ASK_SINCE = timedelta(days=1)


def ask(row: Transfer) -> machine.Event:
    """Return what the provider knows of the attempts that were made for `row`."""
    first = row.first_sent_at or row.created

    def question(adapter: Provider) -> Call[Sequence[Movement]]:
        return adapter.movements_between(
            place(row.source), place(row.target), since=first - ASK_SINCE
        )

    try:
        told = call(row.source.connection, question)
    except ProviderError as error:
        return failure(events.AskFailed, error)
    entries = [entry_of(movement, row) for movement in told]
    return recognise(entries, wanted(row, entries, first - SKEW))


def found_among_synced(row: Transfer) -> machine.Event | None:
    """Return what entries that were synced before prove of `row`; None if none names it."""
    named = Transaction.objects.filter(dedupe_id=str(row.pk), declined="")
    entries = [entry_of(entry, row) for entry in named]
    return recognise(entries, wanted(row, entries, row.created)) if entries else None


def outer(row: Transfer) -> Account:
    """Return the account whose ledger tells of `row`: the one that is no pot."""
    return row.source if row.source.parent_id is None else row.target


def entry_of(told: Movement | Transaction, row: Transfer) -> Entry:
    """Return a movement, as told or as synced, as seen from the source of `row`."""
    leaving = row.source.parent_id is None
    return Entry(
        told.external_id,
        int(-told.amount if leaving else told.amount),
        str(told.asset),
        told.created,
        told.dedupe_id,
        bool(told.declined),
    )


def wanted(row: Transfer, entries: Sequence[Entry], since: datetime) -> Wanted:
    """Return what is looked for, and who else may have made an entry like it."""
    others = alike(row)
    told = frozenset(found.reference for found in entries)
    claimed = frozenset(
        others.filter(reference__in=told).values_list("reference", flat=True)
    )
    rivals = others.filter(amount=row.amount).exclude(reference__in=told)
    maybe = Q(settled_at=None) & Q(first_sent_at__isnull=False)
    moved = Q(status__in=("done", "reversed"), settled_at__gte=since)
    return Wanted(
        dedupe_id=str(row.pk),
        amount=row.amount,
        asset=row.asset,
        since=since,
        named=names_ids(outer(row)),
        claimed=claimed,
        rivals=rivals.filter(maybe | moved).count(),
    )


def alike(row: Transfer):
    """Return the other transfers between the same two accounts, in the same direction."""
    return Transfer.objects.filter(source=row.source_id, target=row.target_id).exclude(
        pk=row.pk
    )


def names_ids(account: Account) -> bool:
    """Say whether the provider has named a dedupe id in this account's history."""
    return Transaction.objects.filter(account=account).exclude(dedupe_id="").exists()


def failure(kind: type[events.Failure], error: ProviderError) -> events.Failure:
    return kind(error.code, str(error), getattr(error, "retry_after", None))
