"""People on their way into an institution, with accounts, keys and a past."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from providers.money import Asset

from .institution import Customer, Institution
from .ledger import OUTSIDE, Entry, Holder


class Peopled(Institution):
    """Knows people by their names, and lets many of them in at once."""

    people: ClassVar[str] = "people"  # the topic of the books with everybody's names

    @abstractmethod
    def world(self, **wishes: Any) -> World[Any]:
        """Return what lets people in; raises TypeError for wishes nobody knows."""

    def customers(self) -> list[str]:
        return list(self.ledger.topic(self.people))

    def add_customers(self, names: Sequence[str], **wishes: Any) -> list[Customer]:
        """Let people in as the institution's `World` says, in one write."""
        with self.lock:
            world = self.world(**wishes)
            for name in names:
                world.person(name)
            world.write()
            return [self.customer(name) for name in names]


There = TypeVar("There", bound=Peopled)


class World(ABC, Generic[There]):
    """Collects what is to be opened; it is written when it is complete.

    Wishes: `opening`, minor units of the first account, instead of the usual past.
    """

    age: timedelta  # of accounts

    def __init__(
        self, there: There, *, opening: int | str | None = None, **nothing: Any
    ) -> None:
        if nothing:
            raise TypeError(f"Unknown wishes: {sorted(nothing)}")
        self.there = there
        self.opening = None if opening is None else int(opening)
        self.now = there.clock.now()
        self.opened = self.now - self.age
        self.names: set[str] = set()
        self.holders: list[Holder] = []
        self.facts: dict[tuple[str, str], Any] = {}
        self.entries: list[Entry] = []

    def person(self, name: str) -> None:
        """Let somebody in; raises ValueError for a name that is taken."""
        known = self.there.ledger.topic(self.there.people)
        if name in known or name in self.names:
            raise ValueError(f"{name} is a customer already")
        self.names.add(name)
        self.admit(name, len(known) + len(self.names))

    @abstractmethod
    def admit(self, name: str, number: int) -> None:
        """Collect what somebody comes with, who is the customer of this number."""

    def know(self, *facts: tuple[str, str, Any]) -> None:
        """Collect facts: topic, key and value."""
        self.facts |= {(topic, key): value for topic, key, value in facts}

    def hold(self, id: str, asset: str, **facts: Any) -> Holder:
        """Collect an account that is as old as all of them."""
        holder = Holder(id, Asset.parse(asset), self.opened, facts)
        self.holders.append(holder)
        return holder

    def moved(self, holder: str, amount: int, moment: datetime, **about: Any) -> None:
        """Collect minor units that came in, or went out if below zero; 0 is nothing."""
        if not amount:
            return
        ends = (OUTSIDE, holder) if amount > 0 else (holder, OUTSIDE)
        number = len(self.there.ledger.entries) + len(self.entries) + 1
        id = self.there.numbered(number)
        self.entries.append(Entry(id, *ends, abs(amount), moment, **about))

    def write(self) -> None:
        """Write all of it to the books."""
        ledger = self.there.ledger
        ledger.open(*self.holders)
        if self.facts:
            ledger.put(*((*key, value) for key, value in self.facts.items()))
        if self.entries:
            ledger.move(*self.entries)
