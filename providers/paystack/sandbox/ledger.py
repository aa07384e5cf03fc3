"""Whose key it is, what each currency holds, and the ledger: newest first, in pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from providers.sandbox import clock
from providers.sandbox.ledger import Entry, Holder
from providers.sandbox.merchants import Merchants
from providers.sandbox.wire import Answer, Asked

from .errors import KEY, bad, no

FIRST_ID: Final = 149_000_000
USUAL: Final = 50  # entries of a page
MOST: Final = 100
PARAMETERS: Final = frozenset({"perPage", "page", "from", "to"})
NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class Ledger(Merchants):
    """The part of Paystack that remembers."""

    tells = frozenset()  # an entry says what moved, and nothing else

    def numbered(self, number: int) -> str:
        return str(FIRST_ID + number)

    def business(self, asked: Asked) -> str:
        """Return who asks; raises the 401 of a key that is not known."""
        if self.closed:
            raise no(503, "Service unavailable")
        kind, _, key = asked.headers.get("authorization", "").partition(" ")
        name: str | None = self.ledger.topic("keys").get(key)
        if kind != "Bearer" or name is None:
            raise no(401, KEY)
        return name

    def show_balance(self, asked: Asked) -> Answer:
        wallets, seen = self.wallets(self.business(asked)), self.seen()
        found = [
            {"currency": w.asset.code, "balance": self.ledger.balance(w.id, seen)}
            for w in wallets
        ]
        told = {"status": True, "message": "Balances retrieved", "data": found}
        return Answer.of(told)

    def show_ledger(self, asked: Asked) -> Answer:
        name = self.business(asked)
        wish = _wish(asked)
        size = min(_number(wish, "perPage", USUAL), MOST)
        page = _number(wish, "page", 1)
        first, last = _moment(wish, "from"), _moment(wish, "to")
        rows = [
            row
            for row in self.rows(name)
            if (first is None or clock.parse(row["createdAt"]) >= first)
            and (last is None or clock.parse(row["createdAt"]) <= last)
        ]
        meta = {
            "total": len(rows),
            "skipped": (page - 1) * size,
            "perPage": size,
            "page": page,
            "pageCount": -(-len(rows) // size),
        }
        found = rows[(page - 1) * size : page * size]
        message = "Balance ledger retrieved"
        return Answer.of(
            {"status": True, "message": message, "data": found, "meta": meta}
        )

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return all entries of a business, newest first; what was declined is none."""
        found = [row for wallet in self.wallets(name) for row in self._of(wallet)]
        return sorted(found, key=lambda row: -row["id"])

    def _of(self, wallet: Holder) -> list[dict[str, Any]]:
        held, found = 0, []
        moved = [e for e in self.ledger.of(wallet.id, self.seen()) if not e.declined]
        for entry in sorted(moved, key=lambda e: int(e.id)):
            held += entry.effect(wallet.id)
            found.append(_row(wallet, entry, held))
        return found


def _row(wallet: Holder, entry: Entry, held: int) -> dict[str, Any]:
    # Moments have no fraction there: entries of one second are told apart by their ids.
    moment = clock.text(entry.moment.replace(microsecond=0))
    about = entry.facts
    return {
        "integration": wallet.facts["integration"],
        "domain": "test",
        "balance": held,
        "currency": wallet.asset.code,
        "difference": entry.effect(wallet.id),
        "reason": about.get("description", ""),
        "model_responsible": about.get("model", "Transaction"),
        "model_row": int(entry.id) + 900_000_000,
        "id": int(entry.id),
        "createdAt": moment,
        "updatedAt": moment,
    }


def _wish(asked: Asked) -> Mapping[str, str]:
    try:
        found = asked.query
    except ValueError as error:
        raise bad(str(error), "Pass each parameter once") from error
    if unknown := sorted(found.keys() - PARAMETERS):
        raise bad(f"{unknown[0]} is not allowed", "Remove it")
    return found


def _number(wish: Mapping[str, str], name: str, usual: int) -> int:
    text = wish.get(name, str(usual))
    if not NUMBER.fullmatch(text):
        raise bad(f"{name} must be a number", f"Provide a valid {name}")
    return int(text)


def _moment(wish: Mapping[str, str], name: str) -> datetime | None:
    if name not in wish:
        return None
    try:
        return clock.parse(wish[name])
    except ValueError as error:
        raise bad(f"{name} must be a date", f"Provide a valid {name}") from error
