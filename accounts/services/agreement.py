"""Reads what cache, rows, history and providers say of accounts; writes nothing anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.utils.timezone import now

from accounts import agreement
from accounts.agreement import DIFFERS, Figures, Said
from accounts.instant.entry import EPOCH, MICROSECOND, unpack
from accounts.models import Account, BalanceSnapshot, Connection, Source
from providers.base import (
    Observation,
    Provider,
    Reading,
    RenewsTokens,
    TakesTypedBalances,
)
from providers.drivers.fleet import fleet
from providers.errors import ProviderError, UnexpectedResponse
from providers.store import StoreAway
from providers.wire import Call

from .adapters import adapter_of
from .instant.cache import look
from .reading import FAULTS

SECONDS = 30.0  # for all providers together
SOON = timedelta(seconds=30)
Told = Mapping[UUID, Said]
NOT_ASKED = Said(why="not asked")
LOOKS = 3  # at what differs: a sync may have been writing


def compare_balances(
    accounts: Iterable[Account], *, ask_providers: bool
) -> list[agreement.Account]:
    """Return what each place says of `accounts`, compared with their rows.

    Nothing is moved, stored or renewed: a connection whose token has run out is unknown.
    """
    rows = list(accounts)
    live = read_live(rows) if ask_providers else {}
    return [compared(account, live.get(account.pk, NOT_ASKED)) for account in rows]


def compared(account: Account, live: Said) -> agreement.Account:
    """Compare one account, and look again where something differs."""
    found = once(account, live)
    for _ in range(LOOKS - 1):
        if found.state != DIFFERS:
            break
        found = once(account, live)
    return found


def once(account: Account, live: Said) -> agreement.Account:
    kept = Account.objects.select_related("balance").get(pk=account.pk)
    row = figures_of(getattr(kept, "balance", None))
    said = {
        "cache": cached(account),
        "snapshot": agreement.of_snapshot(row, newest(account), Source.CACHE.value),
        "provider": live,
    }
    about = (str(account.pk), str(account), account.asset)
    return agreement.judge(about, row, said.__getitem__)


def figures_of(held) -> Figures | None:
    """Return the figures of a balance or a snapshot."""
    if held is None:
        return None
    amounts = (int(held.total), int(held.available), int(held.held))
    return Figures(*amounts, held.as_of, held.source)


def newest(account: Account) -> Figures | None:
    return figures_of(BalanceSnapshot.objects.heard().filter(account=account).first())


def cached(account: Account) -> Said:
    """Return what instant answers are told from; readers ask the row where that is gone."""
    try:
        text = look(account.pk, str(account.connection_id)).text
        entry = unpack(text) if text else None
    except StoreAway:
        return Said(why="the cache is away", lost=True)
    except ValueError:
        return Said(why="written by another version")
    if entry is None or entry.total is None:
        return Said(why="not kept")
    moment = EPOCH + entry.as_of * MICROSECOND
    amounts = (entry.total, entry.available or 0, entry.held or 0)
    return Said(Figures(*amounts, moment, entry.source))


def read_live(accounts: Sequence[Account]) -> dict[UUID, Said]:
    """Ask every provider once per connection what it says now."""
    found: dict[UUID, Said] = {}
    jobs, asked = [], []
    for connection, mine in by_connection(accounts):
        try:
            provider = adapter_of(connection)
        except ProviderError as error:
            found |= dict.fromkeys(
                (a.pk for a in mine), Said(why=str(error), lost=True)
            )
            continue
        if (why := silent(connection, provider)) is not None:
            found |= dict.fromkeys((a.pk for a in mine), why)
            continue
        jobs.append((provider, looking(provider)))
        asked.append(mine)
    seconds = max([SECONDS, *(provider.deadline for provider, _ in jobs)])
    answers = fleet().run_all(jobs, seconds=seconds) if jobs else []
    for mine, answer in zip(asked, answers, strict=True):
        found |= told_by(answer, mine)
    return found


def by_connection(
    accounts: Iterable[Account],
) -> Iterator[tuple[Connection, list[Account]]]:
    groups: dict[UUID, list[Account]] = {}
    for account in accounts:
        groups.setdefault(account.connection_id, []).append(account)
    for mine in groups.values():
        yield mine[0].connection, mine


def silent(connection: Connection, provider: Provider) -> Said | None:
    """Return why nobody is to be asked; None where somebody is."""
    if isinstance(provider, TakesTypedBalances):
        return Said(why="typed in: nobody to ask")
    if connection.archived_at is not None:
        return Said(why="no longer connected")
    ends = connection.token_expires_at
    if isinstance(provider, RenewsTokens) and ends is not None and ends < now() + SOON:
        return Said(why="its token has run out: sync it first", lost=True)
    return None


def looking(provider: Provider) -> Call[Observation]:
    try:
        return (yield from provider.observe())
    except FAULTS as error:
        raise UnexpectedResponse(f"{provider.name}: {type(error).__name__}") from error


def told_by(
    answer: Observation | ProviderError, accounts: Iterable[Account]
) -> dict[UUID, Said]:
    """Return what a provider's answer says of each account; a failure is no figure."""
    if isinstance(answer, ProviderError):
        why = Said(why=str(answer), lost=True)
        return dict.fromkeys((account.pk for account in accounts), why)
    readings = {reading.external_id: reading for reading in answer.readings}
    return {a.pk: said_by(readings.get(a.external_id), a) for a in accounts}


def said_by(reading: Reading | None, account: Account) -> Said:
    if reading is None:
        return Said(why="the provider does not name it", lost=True)
    if reading.total is None or reading.available is None:
        return Said(why=reading.error or "the provider does not say", lost=True)
    if str(reading.asset) != account.asset:
        return Said(why=f"the provider speaks of {reading.asset}", lost=True)
    return Said(Figures(reading.total, reading.available, reading.held, reading.as_of))
