"""The control endpoints from another process: the same verbs as an `Institution`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from . import clock
from .institution import Customer, Holding
from .ledger import Entry

HERE = build_opener(ProxyHandler({}))  # no proxy stands before this machine


class ControlRefused(Exception):
    """The sandbox did not understand what was asked of it."""


class Remote:
    """One institution of a sandbox that runs elsewhere on this machine."""

    def __init__(self, url: str, slug: str) -> None:
        self.url, self.slug = url.rstrip("/"), slug

    def pay(self, account: str, amount: int, **about: Any) -> Entry:
        return self._entry("/pay", account=account, amount=amount, **about)

    def spend(self, account: str, amount: int, **about: Any) -> Entry:
        return self._entry("/spend", account=account, amount=amount, **about)

    def move(self, source: str, target: str, amount: int, **about: Any) -> Entry:
        return self._entry(
            "/move", source=source, target=target, amount=amount, **about
        )

    def settle(self, entry: str, **changes: Any) -> None:
        self.ask("POST", "/settle", entry=entry, **changes)

    def balance(self, external_id: str) -> int:
        return self.balances()[external_id]

    def balances(self) -> dict[str, int]:
        """Return what every account really holds."""
        held = self.ask("GET", "/ledger")["balances"]
        return {holder: int(amount) for holder, amount in held.items()}

    def movements(self, external_id: str | None = None) -> list[Entry]:
        """Return every movement really made, oldest first."""
        wish = {} if external_id is None else {"account": external_id}
        rows = self.ask("GET", "/ledger", **wish)["movements"]
        return [Entry.read(row) for row in rows]

    def moved(self, dedupe_id: str) -> list[Entry]:
        """Return what really happened under one dedupe id."""
        rows = self.ask("GET", "/ledger", dedupe_id=dedupe_id)["movements"]
        return [Entry.read(row) for row in rows]

    def fault(self, action: str, **where: Any) -> None:
        self.ask("POST", "/faults", action=action, **where)

    def calm(self) -> None:
        self.ask("DELETE", "/faults")

    def configure(self, **settings: Any) -> None:
        self.ask("POST", "/settings", **settings)

    def do(self, what: str, **about: Any) -> Any:
        return self.ask("POST", "/do", what=what, **about)["done"]

    def demo_world(self) -> Customer:
        """Return the first customer, who is made if need be."""
        return _customer(self.ask("GET", "/world"))

    def customer(self, name: str) -> Customer:
        return _customer(self.ask("GET", "/world", name=name))

    def add_customers(self, names: list[str], **wishes: Any) -> list[Customer]:
        """Open accounts for people nobody knew before, in one call."""
        made = self.ask("POST", "/world", names=names, **wishes)["customers"]
        return [_customer(row) for row in made]

    def credentials(self, name: str | None = None) -> Mapping[str, str]:
        return (self.customer(name) if name else self.demo_world()).credentials

    def advance(self, seconds: float) -> None:
        """Let time pass at every institution of that sandbox."""
        self.ask("POST", "/clock", advance=seconds)

    def reset(self) -> None:
        self.ask("POST", "/reset")

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """Return the answer of a control endpoint; raises ControlRefused, OSError."""
        wish = {"slug": self.slug, **{k: _plain(k, v) for k, v in body.items()}}
        request = Request(
            f"{self.url}/_control{path}",
            data=json.dumps(wish).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        try:
            with HERE.open(request, timeout=60) as answer:
                return json.load(answer)
        except HTTPError as error:
            with error:
                raise ControlRefused(error.read().decode()) from None

    def _entry(self, path: str, **body: Any) -> Entry:
        return Entry.read(self.ask("POST", path, **body))


def _plain(key: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return clock.text(value)
    return str(value) if key == "amount" else value


def _customer(row: Mapping[str, Any]) -> Customer:
    holdings = [
        Holding(**h | {"goal": None if h["goal"] is None else int(h["goal"])})
        for h in row["accounts"]
    ]
    return Customer(row["name"], row["credentials"], holdings)
