"""Businesses on their way in, with charges, refunds and payouts behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from providers.sandbox import clock, merchants

from .ledger import Ledger
from .recipients import recipient

FIRST_INTEGRATION: Final = 463_426
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


class World(merchants.World[Ledger]):
    """Opens a balance in each currency, with a past."""

    def admit(self, name: str, number: int) -> None:
        integration = FIRST_INTEGRATION + 7 * number
        codes = CURRENCIES if self.opening is None else CURRENCIES[:1]
        ids = {code: self._wallet(name, integration, code) for code in codes}
        self._history(ids)
        key = "sk_test_" + hashlib.sha256(name.encode()).hexdigest()[:40]
        about = {"key": key, "accounts": list(ids.values())}
        self.know(("businesses", name, about), ("keys", key, name))
        self._recipient(name, integration)

    def _wallet(self, name: str, integration: int, code: str) -> str:
        id = f"{integration}:test:{code}"
        return self.hold(id, f"{code}/2", owner=name, integration=integration).id

    def _history(self, ids: dict[str, str]) -> None:
        if self.opening is not None:
            self._enter(ids["NGN"], self.opening, self.opened, "Transaction", "")
            return
        for ago, code, amount, model, reason in PAST:
            moment = self.now - timedelta(days=ago, minutes=17 * ago)
            self._enter(ids[code], amount, moment, model, reason)

    def _enter(
        self, wallet: str, amount: int, moment: datetime, model: str, reason: str
    ) -> None:
        facts = {"model": model, "description": reason}
        self.moved(wallet, amount, moment, facts=facts)

    def _recipient(self, name: str, integration: int) -> None:
        moment = clock.text(self.opened.replace(microsecond=0))
        row = recipient(integration, len(self.facts), moment, PAYEE)
        kept = {"business": name, "data": row}
        self.know(("recipients", row["recipient_code"], kept))
