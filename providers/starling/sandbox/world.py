"""Customers on their way in, with an account, spaces, money and tokens."""

from __future__ import annotations

from typing import Final

from providers.sandbox.banking import Accounts, Special
from providers.sandbox.ledger import Holder

from .hooks import Hooks

GOAL: Final = "savings"
SPENDING: Final = "spending"


class World(Accounts[Hooks]):
    """Opens a personal account with spaces, and a loan, which holds no money."""

    usual = 900_00
    demo = (
        ("Bills", 180_00, {}),
        ("Trip to Paris", 320_00, {"goal": 1_500_00}),
        ("Tax", 640_00, {}),
        ("Bike maintenance", 67_98, {}),
        ("Rainy day", 0, {"goal": 3_000_00}),
        ("Round ups", 12_34, {}),
        ("Being opened", 0, {"locked": True}),
        ("Groceries", 85_00, {"type": SPENDING}),
        ("Old laptop", 0, {"deleted": True}),
    )
    pot_name = "Space"
    about = {"reference": "Opening balance", "counterparty": "Another bank"}

    def accounts(self, who: str) -> None:
        self._open(who, "PRIMARY", "Personal")
        if not self.plain:
            self._open(who, "LOAN", "Loan")

    def _open(self, owner: str, kind: str, name: str) -> None:
        id = self.next_id("account")
        facts = {
            "type": kind,
            "owner": owner,
            "name": name,
            "category": self.there.uid(f"category {id}"),
            "overdraft": 0,
            "closed": False,
        }
        self.account(id, [owner], facts, funded=kind == "PRIMARY")

    def about_pot(self, account: Holder) -> Special:
        return {"owner": account.facts["owner"], "type": GOAL}

    def write(self) -> None:
        """Write everything down; tokens and the key before anybody could use them."""
        self.know(*self.there.key_facts())
        super().write()
