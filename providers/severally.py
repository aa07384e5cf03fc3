"""Observes accounts that are asked for together, each by questions of its own. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from .base import Observation, Reading
from .errors import AuthenticationFailed, ProviderError
from .wire import Call, Request, Response

Account = TypeVar("Account")
Told = Sequence[tuple[Request, Response]]


def observe_each(
    accounts: Sequence[Account],
    questions: Callable[[Account], Sequence[Request]],
    read: Callable[[Account, Told], Observation],
    unknown: Callable[[Account, ProviderError], Reading],
) -> Call[Observation]:
    """Return what these hold; an account that cannot be told is `unknown`.

    Raises AuthenticationFailed, whichever account met it, and the first failure where no
    account can be told.
    """
    asked = [questions(account) for account in accounts]
    flat = [request for requests in asked for request in requests]
    answers = iter((yield flat) if flat else [])
    seen: list[Observation] = []
    failed: list[tuple[Account, ProviderError]] = []
    for account, requests in zip(accounts, asked, strict=True):
        told = [(request, next(answers)) for request in requests]
        try:
            seen.append(read(account, told))
        except AuthenticationFailed:
            raise
        except ProviderError as error:
            failed.append((account, error))
    if failed and not seen:
        raise failed[0][1]
    readings = [reading for found in seen for reading in found.readings]
    return Observation(
        readings + [unknown(account, error) for account, error in failed],
        [invariant for found in seen for invariant in found.invariants],
        complete=not failed,
    )
