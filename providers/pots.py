"""What moving money between an account and its pots has in common. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from .base import Movement, Place
from .errors import OutcomeUnknown, ProviderError, Refused


def account_and_pot(source: Place, target: Place) -> tuple[Place, Place]:
    """Return the account and its pot, whichever way money goes between them."""
    return (source, target) if target.parent else (target, source)


@contextmanager
def proving(*closed: type[ProviderError]) -> Iterator[None]:
    """Raise OutcomeUnknown where history is refused, or `closed`.

    That it may not be read says nothing about a transfer.
    """
    refusals: tuple[type[ProviderError], ...] = (Refused, *closed)
    try:
        yield
    except refusals as error:
        raise OutcomeUnknown(str(error)) from error


def with_pot(
    movements: Iterable[Movement], pot: Place, *, whole: bool
) -> list[Movement]:
    """Return those that have `pot` on the other side.

    Raises OutcomeUnknown unless they are the `whole` of what happened.
    """
    if not whole:
        raise OutcomeUnknown("Too much has happened since to be read at once")
    return [movement for movement in movements if movement.pot == pot.external_id]
