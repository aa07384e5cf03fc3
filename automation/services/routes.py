"""Which provider calls a move is made of."""

from __future__ import annotations

from functools import cache

import providers
from accounts.models import Account
from providers.base import MovesMoney, Place
from providers.money import Asset


class NoRoute(ValueError):
    """The provider cannot move money between these accounts."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


def place(account: Account) -> Place:
    """Return `account` as a transfer names it."""
    parent = account.parent.external_id if account.parent else None
    unit = Asset.parse(account.asset)
    # No `asset`: an answer in another one has to come here to be seen.
    return Place(account.external_id, account.kind, parent, unit=unit)


@cache
def mover(slug: str) -> MovesMoney | None:
    """Return the adapter that knows what can be moved; it has no credentials."""
    adapter = providers.load(slug)({})
    return adapter if isinstance(adapter, MovesMoney) else None


def route(source: Account, target: Account) -> list[tuple[Account, Account]]:
    """Return the steps from `source` to `target`; raises NoRoute."""
    adapter = mover(source.provider)
    if adapter is None:
        raise NoRoute(f"{source} is at a provider that moves no money")
    if source.connection_id != target.connection_id:
        raise NoRoute(f"{source} and {target} belong to different connections")
    if adapter.moves(place(source), place(target)):
        return [(source, target)]
    return between_pots(adapter, source, target)


def between_pots(
    adapter: MovesMoney, source: Account, target: Account
) -> list[tuple[Account, Account]]:
    around = source.parent
    if around is None or source.parent_id != target.parent_id:
        raise NoRoute(f"No money can be moved from {source} to {target}")
    out = adapter.moves(place(source), place(around))
    if not (out and adapter.moves(place(around), place(target))):
        raise NoRoute(f"No money can be moved from {source} to {target}")
    return [(source, around), (around, target)]
