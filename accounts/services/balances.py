"""What an account holds, as it is known now, and what a person types in."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

import providers
from accounts.models import (
    Account,
    Balance,
    BalanceSnapshot,
    Connection,
    Source,
    SyncRun,
)
from accounts.verdicts import Heard
from providers.base import Observation, Reading, TakesTypedBalances
from providers.errors import ProviderError
from providers.money import Asset, whole

from .auditing import audit
from .entries import Entry
from .instant import row_answer
from .recording import record
from .sync import sync


class NotTyped(ProviderError):
    """The provider itself says what its accounts hold."""

    code = "not_typed"


class FutureMoment(ProviderError):
    """Nobody knows yet what will be held then."""

    code = "future_moment"


class HistoryGivenUp(ProviderError):
    """Of that day only the figures are kept: no snapshot can be added."""

    code = "history_given_up"


class BalanceUnknown(ProviderError):
    """The balance could not be read."""

    code = "balance_unknown"


def balance_answer(account: Account, *, max_age: int | None = None) -> dict[str, Any]:
    """Return the newest balance as `api.md` writes it, by its row and no provider.

    What was never read is `unknown`, with nulls. `stale` means older than `max_age`
    seconds; without it, older than 15 minutes or one and a half intervals.
    """
    return json.loads(row_answer(account, max_age).body)


def sync_for(
    accounts: Iterable[Account],
    kind: str = SyncRun.Kind.PRE_AUTOMATION,
    *,
    seconds: float = 15,
) -> list[SyncRun]:
    """Sync every connection that `accounts` belong to, each once and all together."""
    ids = {account.connection_id for account in accounts}
    return sync(Connection.objects.to_sync().filter(pk__in=ids), kind, seconds=seconds)


def fresh_balances(
    accounts: Iterable[Account], *, max_age_seconds: float
) -> dict[UUID, Balance]:
    """Return what is known of `accounts`, after syncing those that are older.

    An account that could not be read keeps its old balance, or has none: look at `as_of`.
    """
    wanted = {account.pk: account for account in accounts}
    since = now() - timedelta(seconds=max_age_seconds)
    known = Balance.objects.in_bulk(wanted)
    old = [a for pk, a in wanted.items() if pk not in known or known[pk].as_of < since]
    if old:
        sync_for(old)
        known = Balance.objects.in_bulk(wanted)
    return known


def create_typed_account(
    connection: Connection, name: str, asset: str | Asset, *, kind: str = "cash"
) -> Account:
    """Add an account whose balance a person types in; raises NotTyped, MoneyError."""
    _require_typed(connection.provider)
    unit = asset if isinstance(asset, Asset) else Asset.parse(asset)
    with transaction.atomic():
        made = Account.objects.create(
            workspace_id=connection.workspace_id,
            connection=connection,
            provider=connection.provider,
            external_id=f"typed_{uuid.uuid4().hex}",
            name=name.strip()[:200],
            kind=kind,
            asset=str(unit),
        )
        told = {name: getattr(made, name) for name in ("name", "kind", "asset")}
        audit("account.created", made, new=told)
    return made


def record_typed_balance(
    account: Account, total: int, *, user=None, as_of: datetime | None = None
) -> BalanceSnapshot:
    """Record what a person counted, in minor units, now or at `as_of`.

    A count of the past enters the history but not the present. Raises NotTyped,
    MoneyError, FutureMoment, HistoryGivenUp.
    """
    _require_typed(account.provider)
    moment = now()
    counted = as_of or moment
    if counted > moment:
        raise FutureMoment
    if account.days_only_until is not None and counted < account.days_only_until:
        raise HistoryGivenUp
    reading = Reading(
        account.external_id, account.unit, whole(total), total, name=account.name
    )
    heard = Heard(Observation([reading], complete=False), counted, moment, "manual")
    with transaction.atomic():
        run = SyncRun.objects.create(
            connection_id=account.connection_id,
            kind=SyncRun.Kind.MANUAL,
            status=SyncRun.Status.RUNNING,
            started=moment,
            requested_by=user,
        )
        record([Entry(run, heard=heard)])
        kept = _keep(account, total, total, 0, counted, Source.MANUAL)
        _write_down("balance.typed", account, kept)
    return kept


def take_snapshot(account: Account, *, key: str = "") -> BalanceSnapshot:
    """Read `account` now and return the snapshot of what it holds.

    A new one only where that changed: else the one before holds on, and the balance is
    confirmed. `key` is that under which somebody asked for it. Raises BalanceUnknown.
    """
    began = now()
    [run] = sync_for([account], SyncRun.Kind.MANUAL)
    balance = Balance.objects.filter(account=account).first()
    if balance is None or balance.fetched_at < began:
        raise BalanceUnknown(run.error or (balance.error if balance else None) or None)
    with transaction.atomic():
        kept = _snapshot_of(account, balance)
        _write_down("balance.synced", account, kept, key=key, sync=run.pk)
    return kept


def _snapshot_of(account: Account, balance: Balance) -> BalanceSnapshot:
    amounts = (balance.total, balance.available, balance.held)
    heard = BalanceSnapshot.objects.heard().filter(account=account)
    last = heard.filter(as_of__lte=balance.as_of).first()
    if last is not None and (last.total, last.available, last.held) == amounts:
        return last
    return _keep(account, *amounts, balance.as_of, balance.source)


def _write_down(
    action: str, account: Account, kept: BalanceSnapshot, **more: object
) -> None:
    """Tell the audit what somebody was told, or told us, about an account."""
    told = {
        "provider": account.provider,
        "external_id": account.external_id,
        "asset": account.asset,
        "total": kept.total,
        "available": kept.available,
        "held": kept.held,
        "as_of": kept.as_of,
        "source": kept.source,
    }
    audit(action, account, new=told | more)


def _keep(
    account: Account,
    total: int,
    available: int,
    held: int,
    as_of: datetime,
    source: str,
) -> BalanceSnapshot:
    told = {"total": total, "available": available, "held": held, "source": source}
    kept, _ = BalanceSnapshot.objects.get_or_create(
        account=account, as_of=as_of, defaults=told
    )
    return kept


def _require_typed(slug: str) -> None:
    if not issubclass(providers.load(slug), TakesTypedBalances):
        raise NotTyped
