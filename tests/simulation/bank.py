"""A bank with a ledger that lasts; what it says may be late, lost, old or wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from automation.machine.recovery import Entry
from providers.base import Receipt
from providers.errors import (
    AccountUnusable,
    AuthenticationFailed,
    InsufficientFunds,
    Refused,
)
from providers.money import Asset

from .stage import Stage

POUND = Asset.parse("GBP/2")
MAIN = "main"


@dataclass(frozen=True, slots=True)
class Traits:
    """How this bank is; `horizon` is how long it promises to remember an id."""

    horizon: timedelta = timedelta(hours=1)
    memory: timedelta | None = None  # how long it does; None: for ever
    shows_ids: bool = True
    lag: timedelta = timedelta(0)  # how old what it reads out may be
    tells_amount: bool = True
    tells_pot: bool = True
    refers: bool = True  # an answer names the entry that it made
    replays_first: bool = True  # a repeated id gets the first answer, not today's
    remembers_no: bool = False
    overdraft: bool = False
    lies: float = 0.0
    reads_apart: bool = False  # account and pots are two requests


@dataclass(slots=True)
class Moved:
    """One entry of the ledger; what the owner did by hand has no name."""

    name: object | None
    source: str
    target: str
    amount: int
    at: datetime
    reference: str


@dataclass(slots=True, eq=False)
class Bank:
    """Accounts, the ids it remembers, and a token that can be renewed once."""

    stage: Stage
    traits: Traits
    balances: dict[str, int]
    ledger: list[Moved] = field(default_factory=list)
    answers: dict[object, tuple[datetime, Receipt | Refused]] = field(
        default_factory=dict
    )
    closed: set[str] = field(default_factory=set)
    past: list[tuple[datetime, dict[str, int]]] = field(default_factory=list)
    used_at: datetime | None = None  # when the owner last did something
    token: int = 0
    token_ends: datetime | None = None
    spoiled: bool = False  # a renewal was interrupted: its token may be used up
    renewed_twice: bool = False
    owes: Callable[[object], None] = lambda name: None

    # -- what is asked

    def order(self, name: object, source: str, target: str, amount: int) -> Receipt:
        """Move money once per id, for as long as the id is remembered."""
        now, kept = self.stage.now, self.answers.get(name)
        if kept is not None and self.remembers(kept[0]):
            return self.repeat(name, kept[1], source, target)
        try:
            self.refuse(source, target, amount)
        except Refused as error:
            self.stage.note("bank refuses", name, error.code)
            if self.traits.remembers_no:
                self.answers[name] = now, error
            raise
        self.balances[source] -= amount
        self.balances[target] += amount
        self.keep_past()
        self.enter(name, source, target, amount)
        self.stage.note("bank moves", name, source, target, amount)
        if source == MAIN and self.balances[MAIN] < 0:
            self.owes(name)
        receipt = self.receipt(name, amount, source, target)
        self.answers[name] = now, receipt
        return receipt

    def enter(self, name: object | None, source: str, target: str, amount: int) -> None:
        reference = f"tx{len(self.ledger)}"
        now = self.stage.now
        self.ledger.append(Moved(name, source, target, amount, now, reference))

    def remembers(self, since: datetime) -> bool:
        memory = self.traits.memory
        return memory is None or self.stage.now - since < memory

    def repeat(
        self, name: object, kept: Receipt | Refused, source: str, target: str
    ) -> Receipt:
        if isinstance(kept, Refused):
            raise kept
        if self.traits.replays_first or kept.amount is None:
            return kept
        return self.receipt(name, kept.amount, source, target)

    def refuse(self, source: str, target: str, amount: int) -> None:
        if source in self.closed or target in self.closed:
            raise AccountUnusable
        may_owe = source == MAIN and self.traits.overdraft
        if self.balances[source] < amount and not may_owe:
            raise InsufficientFunds

    def receipt(self, name: object, amount: int, source: str, target: str) -> Receipt:
        pot = target if source == MAIN else source
        told = {pot: self.balances[pot]} if self.traits.tells_pot else {}
        if self.traits.lies and self.stage.draw() < self.traits.lies:
            self.stage.note("bank lies")
            return Receipt("", amount + 1, POUND, told)
        known = (amount, POUND) if self.traits.tells_amount else (None, None)
        own = next(m for m in reversed(self.ledger) if m.name == name)
        reference = own.reference if self.traits.refers else ""
        return Receipt(reference, *known, told)

    def between(self, source: str, target: str) -> list[Entry]:
        """Return the entries between two accounts, those that are shown by now."""
        seen = self.stage.now - self.traits.lag
        return [
            Entry(
                move.reference,
                move.amount if move.source == source else -move.amount,
                "GBP/2",
                move.at,
                str(move.name) if self.traits.shows_ids and move.name else "",
            )
            for move in self.ledger
            if {move.source, move.target} == {source, target} and move.at <= seen
        ]

    def names_ids(self) -> bool:
        """Say whether the history shows an id by now."""
        seen = self.stage.now - self.traits.lag
        shown = any(move.name and move.at <= seen for move in self.ledger)
        return self.traits.shows_ids and shown

    def read(self, names: list[str]) -> dict[str, int]:
        """Return what `names` hold, or held a little ago."""
        lag = self.traits.lag
        if not lag or not self.past:
            return {name: self.balances[name] for name in names}
        seen = self.stage.now - lag * self.stage.draw()
        old = next((b for at, b in reversed(self.past) if at <= seen), self.past[0][1])
        return {name: old[name] for name in names}

    def keep_past(self) -> None:
        if self.traits.lag:
            self.past.append((self.stage.now, dict(self.balances)))

    @property
    def moves(self) -> list[Moved]:
        """Return the entries that we asked for."""
        return [move for move in self.ledger if move.name is not None]

    # -- who asks

    def admit(self, token: int) -> None:
        """Raise AuthenticationFailed for a token that is old."""
        ends = self.token_ends
        if token != self.token or (ends is not None and self.stage.now >= ends):
            raise AuthenticationFailed

    def renew(self, token: int) -> int:
        """Return the next token for the one in use; each can be renewed once."""
        if token != self.token:
            self.renewed_twice |= not self.spoiled
            self.stage.note("bank is shown a used token")
            raise AuthenticationFailed("This token was used")
        self.token += 1
        self.token_ends = None
        self.stage.note("bank renews a token", self.token)
        return self.token

    # -- the owner

    def use(self, source: str | None, target: str | None, amount: int) -> None:
        """Let the owner pay, be paid, or move money by hand."""
        if source is not None:
            amount = min(amount, max(0, self.balances[source]))
            self.balances[source] -= amount
        if target is not None:
            self.balances[target] += amount
        if source is not None and target is not None and amount:
            self.enter(None, source, target, amount)
        self.used_at = self.stage.now
        self.keep_past()
        self.stage.note("owner", source, target, amount)
