"""Customers on their way in, with accounts, pots, money and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from providers.sandbox.banking import Accounts, Special
from providers.sandbox.ledger import Holder

from .consent import Consent


class World(Accounts[Consent]):
    """Opens current accounts; with `joint` there is one more that all share.

    They are older than 90 days, so that some of their history is out of reach.
    """

    usual = 1_500_00
    demo = (
        ("Bills", 200_00, {"bills": True}),
        ("Holidays", 150_00, {"goal": 2_000_00}),
        ("Emergency fund", 1_200_00, {"goal": 5_000_00}),
        ("Rent", 0, {}),
        ("Fun", 35_50, {}),
        ("Savings", 300_00, {"type": "flexible_savings"}),
        ("House deposit", 10_000_00, {"locked": True}),
        ("Old car", 0, {"deleted": True}),
    )
    pot_name = "Pot"
    about = {"description": "Opening balance", "scheme": "bacs"}
    consented = 600.0

    def __init__(self, bank: Consent, *, joint: bool = False, **wishes: Any) -> None:
        super().__init__(bank, **wishes)
        self.joint = joint

    def accounts(self, who: str) -> None:
        self._open("uk_retail", [who])
        if not self.plain:
            self._open("uk_retail", [who], closed=True)
            self._open("uk_rewards", [who])
            self._open("uk_monzo_flex", [who])

    def _open(self, kind: str, owners: Sequence[str], *, closed: bool = False) -> None:
        facts = {"type": kind, "owners": list(owners), "closed": closed}
        funded = kind.startswith("uk_retail") and not closed
        self.account(self.next_id("account"), owners, facts, funded=funded)

    def about_pot(self, account: Holder) -> Special:
        owners = account.facts["owners"]
        return {"owners": owners, "type": "default", "bills": False}

    def write(self) -> None:
        if self.joint:
            self._open("uk_retail_joint", list(self.owned))
        super().write()
