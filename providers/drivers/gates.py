"""This process's gates: one per provider, over the store that `configure` named."""

from __future__ import annotations

import os
from threading import Lock

import providers
from providers.base import Limit, Provider
from providers.breaker import Breaker, LocalBreaker, SharedBreaker
from providers.source_health import SharedRecords
from providers.store import Store
from providers.wire import Request

from .gate import Gate
from .policy import slug_of
from .rations import rations, turnstile


class Gates:
    """Makes each gate once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._url: str | None = None
        self._store: Store | None = None
        self._gates: dict[str, Gate] = {}

    def configure(self, redis_url: str | None) -> None:
        """Share breakers and budgets through this Redis; None: keep them in the process."""
        with self._lock:
            self._url = redis_url
            self._store, self._gates = None, {}

    def get(self, name: str, limit: Limit | None) -> Gate:
        """Return the gate called `name`."""
        if (gate := self._gates.get(name)) is not None:
            return gate
        with self._lock:
            if name not in self._gates:
                self._gates[name] = self._make(name, limit)
            return self._gates[name]

    def all(self) -> list[Gate]:
        """Return the gates made so far."""
        return list(self._gates.values())

    def after_fork(self) -> None:
        """Start anew: a lock may be held, and a socket used, by the parent."""
        url = self._url
        self.__init__()  # type: ignore[misc]
        self._url = url

    def _make(self, name: str, limit: Limit | None) -> Gate:
        if self._url and self._store is None:
            self._store = Store(self._url)
        breaker: Breaker = (
            SharedBreaker(self._store, name) if self._store else LocalBreaker()
        )
        paid = rations(name, limit, self._store) if limit else None
        if self._store is None:
            return Gate(breaker, paid)
        records = SharedRecords(self._store, name)
        return Gate(breaker, paid, turnstile(name, self._store), records)


_gates = Gates()
configure = _gates.configure
all_gates = _gates.all
os.register_at_fork(after_in_child=_gates.after_fork)


def gate_for(slug: str, host: str = "api") -> Gate:
    """Return this process's gate of a provider's host; raises LookupError for an unknown slug."""
    return _gates.get(_name(slug, host), providers.load(slug).limits.get(host))


def gate_of(provider: Provider, request: Request) -> Gate:
    """Return the gate that `request` has to pass: hosts of one provider fail apart."""
    name = _name(slug_of(type(provider)), provider.line(request.host))
    return _gates.get(name, provider.limits.get(request.host))


def _name(slug: str, host: str) -> str:
    return slug if host == "api" else f"{slug}/{host}"
