"""Businesses on their way in, with charges, refunds and payouts behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from providers.sandbox import clock
from providers.sandbox.ledger import OUTSIDE, Entry, Holder

from .ledger import FIRST_ID, Ledger
from .recipients import recipient

OPENED: Final = timedelta(days=90)  # before now
CURRENCIES: Final = ("NGN", "GHS", "USD", "KES")
PAYEE: Final = {
    "type": "nuban",
    "name": "Jekanmo Padie",
    "account_number": "9876543210",
    "bank_code": "044",
}
# (days ago, currency, minor units, what moved them, reason): below zero it left
PAST: Final[Sequence[tuple[int, str, int, str, str]]] = (
    (81, "NGN", 4_250_000_00, "Transaction", ""),
    (77, "GHS", 18_400_50, "Transaction", ""),
    (70, "NGN", -1_200_000_00, "Transfer", "Rent of the shop"),
    (63, "USD", 2_310_00, "Transaction", ""),
    (58, "NGN", 815_499_95, "Transaction", ""),
    (49, "NGN", -45_000_00, "Refund", ""),
    (40, "GHS", -2_000_00, "Transfer", "Supplier"),
    (33, "NGN", 96_750_00, "Transaction", ""),
)


class World:
    """Collects what is to be opened; it is written when it is complete."""

    def __init__(self, there: Ledger, opening: int | None) -> None:
        self.there, self.opening = there, opening
        self.now = there.clock.now()
        self.holders: list[Holder] = []
        self.facts: list[tuple[str, str, Any]] = []
        self.entries: list[Entry] = []

    def person(self, name: str) -> None:
        known = self.there.ledger.topic("businesses")
        if name in known or ("businesses", name) in {f[:2] for f in self.facts}:
            raise ValueError(f"{name} is a customer already")
        number = len(known) + len([f for f in self.facts if f[0] == "businesses"])
        integration = 463_433 + 7 * number
        codes = CURRENCIES if self.opening is None else CURRENCIES[:1]
        ids = {code: self._wallet(name, integration, code) for code in codes}
        self._history(ids)
        key = "sk_test_" + hashlib.sha256(name.encode()).hexdigest()[:40]
        about = {"key": key, "accounts": list(ids.values())}
        self.facts += [("businesses", name, about), ("keys", key, name)]
        self._recipient(name, integration)

    def _wallet(self, name: str, integration: int, code: str) -> str:
        id = f"{integration}:test:{code}"
        facts = {"owner": name, "integration": integration}
        holder = self.there.open(id, f"{code}/2", **facts)
        self.holders.append(replace(holder, opened=self.now - OPENED))
        return id

    def _history(self, ids: dict[str, str]) -> None:
        if self.opening:
            self._enter(ids["NGN"], self.opening, self.now - OPENED, "Transaction", "")
        elif self.opening is None:
            for ago, code, amount, model, reason in PAST:
                moment = self.now - timedelta(days=ago, minutes=17 * ago)
                self._enter(ids[code], amount, moment, model, reason)

    def _enter(
        self, wallet: str, amount: int, moment: datetime, model: str, reason: str
    ) -> None:
        number = FIRST_ID + len(self.there.ledger.entries) + len(self.entries) + 1
        ends = (OUTSIDE, wallet) if amount > 0 else (wallet, OUTSIDE)
        facts = {"model": model, "description": reason}
        self.entries.append(Entry(str(number), *ends, abs(amount), moment, facts=facts))

    def _recipient(self, name: str, integration: int) -> None:
        moment = clock.text((self.now - OPENED).replace(microsecond=0))
        row = recipient(integration, len(self.facts), moment, PAYEE)
        kept = {"business": name, "data": row}
        self.facts.append(("recipients", row["recipient_code"], kept))

    def write(self) -> None:
        ledger = self.there.ledger
        ledger.open(*self.holders)
        ledger.put(*self.facts)
        if self.entries:
            ledger.move(*self.entries)
