"""Answers what an account holds from the cache, and from the row where that has to be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

import structlog
from django.utils.timezone import now

from accounts.instant.answer import (
    CACHE,
    DATABASE,
    Answer,
    Sheet,
    answer,
    sheet,
    sheet_of,
)
from accounts.instant.entry import micros, pack
from accounts.models import Account, SyncRun
from accounts.signals import cache_event
from providers.store import StoreAway

from . import cache
from .cache import Seen
from .rows import entry_from_row, entry_of
from .tally import tally

log = structlog.get_logger(__name__)
MOST_PLACES = 100_000
# Which connection an account belongs to never changes: it saves the second look.
_places: dict[UUID, str] = {}


@dataclass(frozen=True, slots=True)
class Glance:
    """What one look at an account found, and where."""

    account: UUID
    seen: Seen | None  # None: the cache is away
    sheet: Sheet | None = None  # None: no such account, or `settled` has to look
    found_in: str = CACHE
    updating: bool = False

    @property
    def access(self) -> bytes | None:
        """The mark of all rights as it was before this look."""
        return self.seen.access if self.seen else None

    @property
    def workspace(self) -> str | None:
        return self.sheet.entry.workspace if self.sheet else None

    def answer(self, max_age: int | None = None, *, updating: bool = False) -> Answer:
        """Return what is said now; see `accounts.instant.answer`."""
        return answer(
            self.sheet,
            micros(now()),
            max_age=max_age,
            hinted_at=self.seen.hinted_at if self.seen else 0,
            updating=updating or self.updating,
            found_in=self.found_in,
        )


def glance(account: UUID) -> Glance:
    """Look at an account in the cache, and in the database where that has to be."""
    return settled(peek(account))


def peek(account: UUID) -> Glance:
    """Look at an account in the cache only: one round trip."""
    try:
        seen = cache.look(account, _places.get(account, ""))
        found = sheet(str(account), seen.text) if seen.text else None
        if found is not None and account not in _places:
            seen = _look_again(account, found)._replace(access=seen.access)
    except StoreAway:
        cache_event.send(sender=None, kind="away", accounts=(account,))
        return Glance(account, None)
    except ValueError:  # written by another version: the row says it anew
        found = None
    tally.count(found is not None)
    kind = "miss" if found is None else "hit"
    cache_event.send(sender=None, kind=kind, accounts=(account,))
    return Glance(account, seen, found, updating=seen.updating)


def _look_again(account: UUID, found: Sheet) -> Seen:
    """Look once more, with what is kept about the connection."""
    if len(_places) >= MOST_PLACES:
        _places.clear()
    _places[account] = found.entry.connection
    return cache.look(account, found.entry.connection)


def settled(look: Glance) -> Glance:
    """Return `look` with what the row says, where the cache had nothing to say."""
    if look.sheet is not None:
        return look
    entry = entry_from_row(look.account)
    if entry is None:
        return replace(look, found_in=DATABASE)
    found = sheet_of(str(look.account), entry)
    if look.seen is None:
        updating = is_updating(UUID(entry.connection))
        return replace(look, sheet=found, found_in=DATABASE, updating=updating)
    return _filled(look, found, look.seen)


def _filled(look: Glance, found: Sheet, seen: Seen) -> Glance:
    """Keep what was read from the row for the next who asks."""
    text = seen.text  # as it was before the row was read
    if look.account not in _places:
        try:
            seen = _look_again(look.account, found)._replace(access=seen.access)
        except StoreAway:
            log.debug("The cache went away between two looks")
    if cache.fill(look.account, text, pack(found.entry)):
        cache_event.send(sender=None, kind="filled", accounts=(look.account,))
    return replace(
        look, seen=seen, sheet=found, found_in=DATABASE, updating=seen.updating
    )


def row_answer(account: Account, max_age: int | None = None) -> Answer:
    """Return what the row of `account` says, without the cache."""
    return answer(
        sheet_of(str(account.pk), entry_of(account)),
        micros(now()),
        max_age=max_age,
        updating=is_updating(account.connection_id),
        found_in=DATABASE,
    )


def is_updating(connection_id: UUID) -> bool:
    """Return whether a sync of the connection is asked for or running."""
    recent = now() - SyncRun.LEASE
    runs = SyncRun.objects.unfinished().filter(connection_id=connection_id)
    # With a moment to go on, the balances are read, and orders and trades are not.
    return runs.filter(created__gt=recent, resume_at=None).exists()


def hint(connection_id: UUID) -> None:
    """Say that something has changed at a connection: what was read before is stale."""
    cache.note_hint(connection_id, micros(now()))
