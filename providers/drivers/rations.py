"""Whose rate limit a request counts against, and whose turn it is to send one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from threading import Lock
from typing import Generic, TypeVar

from providers.base import Limit, Provider
from providers.budget import Budget, Ration
from providers.counter import Counter
from providers.numbers import Numbers
from providers.store import Store

T = TypeVar("T")
MOST = 10_000  # credentials remembered at once


class PerCredential(Generic[T]):
    """Makes one thing for each set of credentials, by a name that gives nothing away."""

    def __init__(self, name: str, make: Callable[[str], T]) -> None:
        self._name, self._make = name, make
        self._lock, self._made = Lock(), dict[str, T]()

    def of(self, provider: Provider) -> T:
        """Return what was made for the credentials of `provider`."""
        name = f"{self._name}:{digest(provider)}"
        with self._lock:
            if name not in self._made:
                if len(self._made) >= MOST:
                    self._made.clear()
                self._made[name] = self._make(name)
            return self._made[name]


class ForAll(Generic[T]):
    """Returns the same thing whatever the credentials are."""

    def __init__(self, made: T) -> None:
        self._made = made

    def of(self, provider: Provider) -> T:
        return self._made


Rations = PerCredential[Ration] | ForAll[Ration]
Turnstile = PerCredential[Numbers]


def rations(name: str, limit: Limit, store: Store | None) -> Rations:
    """Return what the requests of one host are paid from."""

    def make(name: str) -> Ration:
        if limit.kind == "counter":
            return Counter(name, limit, store)
        return Budget(name, limit, store)

    if limit.per == "installation":
        return ForAll(make(name))
    return PerCredential(name, make)


def turnstile(name: str, store: Store) -> Turnstile:
    """Return the turns of each set of credentials, as all processes take them."""
    return PerCredential(name, partial(Numbers, store))


def digest(provider: Provider) -> str:
    """Return what stands for the credentials, there, where others may read it."""
    told = type(provider).__qualname__, sorted(provider.credentials.items())
    return sha256(repr(told).encode()).hexdigest()[:24]
