"""Customers on their way in, with an account, spaces, money and tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from providers.sandbox.ledger import OUTSIDE, Entry, Holder

from .hooks import Hooks

OPENED: Final = timedelta(days=120)  # before now
OPENING: Final = 900_00
GOAL: Final = "savings"
SPENDING: Final = "spending"
# name, what is in it, and what is special about it
SPACES: Final[Sequence[tuple[str, int, Mapping[str, Any]]]] = (
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


class World:
    """Collects what is to be opened; it is written when it is complete."""

    def __init__(self, bank: Hooks, opening: int, pots: int | None) -> None:
        self.bank, self.opening = bank, opening
        self.wanted = SPACES
        if pots is not None:
            self.wanted = tuple((f"Space {i + 1}", 10_00, {}) for i in range(pots))
        self.plain = pots is not None
        self.opened = bank.clock.now() - OPENED
        self.holders: list[Holder] = []
        self.facts: list[tuple[str, str, Any]] = []
        self.money: list[tuple[str, int]] = []
        self.owned: dict[str, list[str]] = {}
        self.inside: dict[str, list[str]] = {}

    def person(self, name: str) -> None:
        known = self.bank.ledger.topic("holders")
        if name in known or name in self._names():
            raise ValueError(f"{name} is a customer already")
        number = len(known) + len(self.owned) + 1
        holder = self.bank.uid(f"holder {number}")
        grant = self.bank.grant(holder)
        self.facts += [("holders", name, holder), *self.bank.granted(grant)]
        self.owned[holder] = []
        self.account(holder, "PRIMARY", "Personal")
        if not self.plain:
            self.account(holder, "LOAN", "Loan")

    def _names(self) -> set[str]:
        return {key for topic, key, _ in self.facts if topic == "holders"}

    def account(self, owner: str, kind: str, name: str) -> None:
        id = self._id("account")
        facts = {
            "type": kind,
            "owner": owner,
            "name": name,
            "category": self.bank.uid(f"category {id}"),
            "overdraft": 0,
            "closed": False,
        }
        holder = replace(self.bank.open(id, "GBP/2", **facts), opened=self.opened)
        self.holders.append(holder)
        self.owned[owner].append(id)
        if kind != "PRIMARY":
            return
        if self.opening:
            self.money.append((id, self.opening))
        for space, amount, special in self.wanted:
            self.space(holder, space, amount, special)

    def space(
        self, account: Holder, name: str, amount: int, special: Mapping[str, Any]
    ) -> str:
        id = self._id("space")
        facts = {
            "name": name,
            "parent": account.id,
            "owner": account.facts["owner"],
            "type": GOAL,
            "goal": None,
            "locked": False,
            "deleted": False,
            **special,
        }
        opened = replace(
            self.bank.open(id, str(account.asset), **facts), opened=self.opened
        )
        self.holders.append(opened)
        known = self.bank.ledger.topic("spaces").get(account.id, [])
        self.inside.setdefault(account.id, list(known)).append(id)
        if amount:
            self.money.append((id, amount))
        return id

    def write(self) -> None:
        """Write everything down; the tokens and the key before anybody could use them."""
        ledger = self.bank.ledger
        ledger.open(*self.holders)
        lists = [("accounts", owner, ids) for owner, ids in self.owned.items()]
        lists += [("spaces", account, ids) for account, ids in self.inside.items()]
        ledger.put(*self.bank.key_facts(), *lists, *self.facts)
        start = len(ledger.entries)
        about = {"reference": "Opening balance", "counterparty": "Another bank"}
        ledger.move(
            *(
                Entry(
                    self.bank.uid(f"item {start + i}"),
                    OUTSIDE,
                    holder,
                    amount,
                    self.opened,
                    facts=about,
                )
                for i, (holder, amount) in enumerate(self.money, start=1)
            )
        )

    def _id(self, kind: str) -> str:
        number = len(self.bank.ledger.holders) + len(self.holders) + 1
        return self.bank.uid(f"{kind} {number}")
