"""Customers on their way in, with accounts, pots, money and tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from providers.sandbox.ledger import OUTSIDE, Entry, Holder

from .consent import Consent

OPENED: Final = timedelta(days=120)  # before now; so some history is out of reach
OPENING: Final = 1_500_00
# name, what is in it, and what is special about it
POTS: Final[Sequence[tuple[str, int, Mapping[str, Any]]]] = (
    ("Bills", 200_00, {"bills": True}),
    ("Holidays", 150_00, {"goal": 2_000_00}),
    ("Emergency fund", 1_200_00, {"goal": 5_000_00}),
    ("Rent", 0, {}),
    ("Fun", 35_50, {}),
    ("Savings", 300_00, {"type": "flexible_savings"}),
    ("House deposit", 10_000_00, {"locked": True}),
    ("Old car", 0, {"deleted": True}),
)


class World:
    """Collects what is to be opened; it is written when it is complete."""

    def __init__(self, bank: Consent, opening: int, pots: int | None) -> None:
        self.bank, self.opening = bank, opening
        self.wanted = POTS
        if pots is not None:
            self.wanted = tuple((f"Pot {i + 1}", 10_00, {}) for i in range(pots))
        self.plain = pots is not None
        self.opened = bank.clock.now() - OPENED
        self.holders: list[Holder] = []
        self.facts: list[tuple[str, str, Any]] = []
        self.money: list[tuple[str, int]] = []
        self.owned: dict[str, list[str]] = {}
        self.inside: dict[str, list[str]] = {}

    def person(self, name: str) -> None:
        users = self.bank.ledger.topic("users")
        if name in users:
            raise ValueError(f"{name} is a customer already")
        user = f"user_{len(users) + len(self.owned) + 1:08d}"
        now = self.bank.clock.timestamp()
        grant = self.bank.grant(user, authenticated=now - 600, approved=now - 600)
        self.facts += [("users", name, user), *self.bank.granted(user, grant)]
        self.owned[user] = []
        self.account("uk_retail", [user])
        if not self.plain:
            self.account("uk_retail", [user], closed=True)
            self.account("uk_rewards", [user])
            self.account("uk_monzo_flex", [user])

    def share(self, names: Sequence[str]) -> None:
        """Open a joint account for everybody who is coming in."""
        self.account("uk_retail_joint", list(self.owned))

    def account(
        self, kind: str, owners: Sequence[str], *, closed: bool = False
    ) -> None:
        id = self._id("acc")
        facts = {"type": kind, "owners": list(owners), "closed": closed}
        holder = replace(self.bank.open(id, "GBP/2", **facts), opened=self.opened)
        self.holders.append(holder)
        for owner in owners:
            self.owned[owner].append(id)
        if closed or not kind.startswith("uk_retail"):
            return
        if self.opening:
            self.money.append((id, self.opening))
        for name, amount, special in self.wanted:
            self.pot(holder, name, amount, special)

    def pot(
        self, account: Holder, name: str, amount: int, special: Mapping[str, Any]
    ) -> str:
        id = self._id("pot")
        facts = {
            "name": name,
            "parent": account.id,
            "owners": account.facts["owners"],
            "type": "default",
            "goal": None,
            "bills": False,
            "locked": False,
            "deleted": False,
            **special,
        }
        opened = replace(
            self.bank.open(id, str(account.asset), **facts), opened=self.opened
        )
        self.holders.append(opened)
        known = self.bank.ledger.topic("pots").get(account.id, [])
        self.inside.setdefault(account.id, list(known)).append(id)
        if amount:
            self.money.append((id, amount))
        return id

    def write(self) -> None:
        ledger = self.bank.ledger
        ledger.open(*self.holders)
        lists = [("accounts", user, ids) for user, ids in self.owned.items()]
        lists += [("pots", account, ids) for account, ids in self.inside.items()]
        ledger.put(*lists, *self.facts)
        start = len(ledger.entries)
        ledger.move(
            *(
                Entry(
                    f"tx_{start + i:016d}",
                    OUTSIDE,
                    holder,
                    amount,
                    self.opened,
                    facts={"description": "Opening balance", "scheme": "bacs"},
                )
                for i, (holder, amount) in enumerate(self.money, start=1)
            )
        )

    def _id(self, kind: str) -> str:
        number = len(self.bank.ledger.holders) + len(self.holders) + 1
        return f"{kind}_{number:016d}"
