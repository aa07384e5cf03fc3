"""Banks whose accounts have pots inside: who has them, and how they are opened."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from .consents import Consents
from .institution import Customer, Holding
from .ledger import Holder
from .worlds import World

Special = Mapping[str, Any]
PLAIN = 10_00  # minor units in a pot that is only counted


class Banking(Consents):
    """The part of a bank that keeps accounts, and pots inside them."""

    @abstractmethod
    def world(self, **wishes: Any) -> Accounts[Any]:
        """Return what lets people in; raises TypeError for wishes nobody knows."""

    @abstractmethod
    def id_of(self, kind: str, number: int) -> str:
        """Return the id of a `person`, an `account` or a `pot` by its number."""

    @abstractmethod
    def counts(self, account: Holder) -> bool:
        """Say whether an account holds money that a client has to tell."""

    def called(self, account: Holder) -> str:
        """Return an account's name."""
        return str(account.facts["name"])

    # -- people

    def customer(self, name: str) -> Customer:
        who = self.ledger.topic(self.people)[name]
        accounts = [a for a in self.accounts_of(who) if self.counts(a)]
        found = [held for a in accounts for held in (a, *self.inside(a))]
        return Customer(name, self.given(who), [self.holding(held) for held in found])

    def given(self, who: str) -> dict[str, str]:
        """Return what a client needs to connect as somebody."""
        return {**self.client, **self.tokens_of(who)}

    def accounts_of(self, who: str) -> list[Holder]:
        return [self.ledger.holders[id] for id in self.ledger.topic("accounts")[who]]

    def inside(self, account: Holder) -> list[Holder]:
        """Return the pots of an account, deleted ones too."""
        ids = self.ledger.topic(self.pot_word).get(account.id, ())
        return [self.ledger.holders[id] for id in ids]

    def holding(self, held: Holder) -> Holding:
        """Return an account or a pot in the words of the ports."""
        about, asset = held.facts, str(held.asset)
        if "parent" not in about:
            closed = about["closed"]
            return Holding(held.id, "current", self.called(held), asset, closed=closed)
        return Holding(
            held.id,
            "pot",
            about["name"],
            asset,
            parent=about["parent"],
            goal=about["goal"],
            locked=about["locked"],
            closed=about["deleted"],
        )

    # -- what people do

    def amend(self, id: str, **facts: Any) -> None:
        """Change what is known of a pot or an account: `locked`, `closed`, `name` …"""
        known = self.ledger.holders[id].facts
        if unknown := facts.keys() - known.keys():
            raise TypeError(f"{id} has no {sorted(unknown)}")
        self.ledger.amend(id, **facts)

    def add_pot(self, account: str, name: str, **facts: Any) -> str:
        """Open one more pot and return its id."""
        world = self.world()
        pot = world.pot(self.ledger.holders[account], name, 0, facts)
        world.write()
        return pot


Bank = TypeVar("Bank", bound=Banking)


class Accounts(World[Bank]):
    """Opens a current account with pots for each.

    Without the wish `pots` they are the demo's, and accounts a client must leave alone
    are listed too; a number opens that many plain ones and nothing else. `opening` is
    what the account itself holds at first.
    """

    age = timedelta(days=120)
    usual: ClassVar[int]  # what an account holds at first, in minor units
    demo: ClassVar[Sequence[tuple[str, int, Special]]]  # pots: name, amount, the rest
    pot_name: ClassVar[str]  # of one that is only counted, before its number
    about: ClassVar[Special]  # what is told of the first deposits
    consented: ClassVar[float] = 0.0  # seconds before now

    def __init__(self, there: Bank, *, pots: int | None = None, **wishes: Any) -> None:
        super().__init__(there, **wishes)
        self.plain, self.wanted = pots is not None, self.demo
        if pots is not None:
            names = [f"{self.pot_name} {number + 1}" for number in range(pots)]
            self.wanted = [(name, PLAIN, {}) for name in names]
        self.owned: dict[str, list[str]] = {}
        self.contents: dict[str, list[str]] = {}

    @abstractmethod
    def accounts(self, who: str) -> None:
        """Open what somebody comes with."""

    @abstractmethod
    def about_pot(self, account: Holder) -> Special:
        """Return what this bank knows of a pot beside what every bank does."""

    def admit(self, name: str, number: int) -> None:
        who = self.there.id_of("person", number)
        since = self.there.clock.timestamp() - self.consented
        grant = self.there.grant(who, self.there.begun(who, since, since))
        self.know((self.there.people, name, who), *self.there.granted(who, grant))
        self.owned[who] = []
        self.accounts(who)

    def account(
        self, id: str, owners: Sequence[str], facts: Special, *, funded: bool
    ) -> None:
        """Open an account, and with `funded` its pots and what it holds at first."""
        holder = self.hold(id, "GBP/2", **facts)
        for owner in owners:
            self.owned[owner].append(id)
        if not funded:
            return
        self._deposit(id, self.usual if self.opening is None else self.opening)
        for name, amount, special in self.wanted:
            self.pot(holder, name, amount, special)

    def pot(self, account: Holder, name: str, amount: int, special: Special) -> str:
        """Open a pot inside an account, and return its id."""
        id = self.next_id("pot")
        facts = {
            "name": name,
            "parent": account.id,
            "goal": None,
            "locked": False,
            "deleted": False,
            **self.about_pot(account),
            **special,
        }
        self.hold(id, str(account.asset), **facts)
        known = self.there.ledger.topic(self.there.pot_word).get(account.id, [])
        self.contents.setdefault(account.id, list(known)).append(id)
        self._deposit(id, amount)
        return id

    def write(self) -> None:
        """Write all of it, with the lists of who has what."""
        self.know(*(("accounts", who, ids) for who, ids in self.owned.items()))
        lists = self.contents.items()
        self.know(*((self.there.pot_word, account, ids) for account, ids in lists))
        super().write()

    def next_id(self, kind: str) -> str:
        """Return an id nothing has yet."""
        number = len(self.there.ledger.holders) + len(self.holders) + 1
        return self.there.id_of(kind, number)

    def _deposit(self, holder: str, amount: int) -> None:
        self.moved(holder, amount, self.opened, facts=self.about)
