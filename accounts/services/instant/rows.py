"""The row behind an instant answer: asked where nothing is kept, or nothing can be."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from uuid import UUID

from django.utils.timezone import now

import providers
from accounts.instant.entry import DISTRUSTED, NEVER, Entry, micros
from accounts.models import Account, Balance, BalanceSnapshot, Connection, Source
from providers.base import TakesTypedBalances

AFTER_SUCCESS, AFTER_FAILURE = timedelta(seconds=1), timedelta(seconds=15)


def entry_from_row(account: UUID) -> Entry | None:
    """Return what is known of an account, or None where there is no such account."""
    rows = Account.objects.select_related("balance", "connection")
    found = rows.defer("connection__credentials").filter(pk=account).first()
    return None if found is None else entry_of(found)


def entry_of(account: Account) -> Entry:
    """Return what is known of an account: its balance, else the last snapshot heard."""
    owner = account.connection
    balance: Balance | None = getattr(account, "balance", None)
    held = balance or last_snapshot(account)
    error = balance.error if balance else owner.error
    limit = stale_after(account.provider, owner)
    if balance is not None and balance.distrusted:
        limit = DISTRUSTED
    about = (str(account.workspace_id), str(owner.pk), account.asset)
    if held is None:
        nothing = (None, None, None, 0)
        return Entry(0, "", *about, *nothing, limit, ask_from(owner), error)
    amounts = (int(held.total), int(held.available), int(held.held))
    as_of = micros(held.as_of)
    fetched = micros(balance.fetched_at) if balance else as_of
    source = balance.source if balance else Source.SNAPSHOT.value
    told = (*amounts, fetched, limit, ask_from(owner), error)
    return Entry(as_of, source, *about, *told)


def last_snapshot(account: Account) -> BalanceSnapshot | None:
    """Return the last rung: what history says was held, and files do not count."""
    return BalanceSnapshot.objects.heard().filter(account=account).first()


def stale_after(slug: str, owner: Connection) -> int | None:
    """Return the seconds after which a balance is stale; None where it never is."""
    return None if is_typed(slug) else int(owner.stale_after.total_seconds())


@cache
def is_typed(slug: str) -> bool:
    """Say whether people type in what accounts of this provider hold."""
    # Such a balance is as old as the last count, and nobody can know better.
    return slug in providers.slugs() and issubclass(
        providers.load(slug), TakesTypedBalances
    )


def ask_from(owner: Connection) -> int:
    """Return the moment from which asking the provider may help, in µs, or NEVER."""
    if is_typed(owner.provider) or owner.needs_person or owner.archived_at is not None:
        return NEVER
    if owner.last_sync_at is None:
        return 0
    pause = AFTER_FAILURE if owner.failures else AFTER_SUCCESS
    return micros(owner.last_sync_at + pause)


def may_ask(owner: Connection) -> bool:
    """Say whether asking the provider may help now."""
    first = ask_from(owner)
    return first != NEVER and micros(now()) >= first
