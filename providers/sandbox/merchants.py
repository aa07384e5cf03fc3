"""Businesses with wallets, which ask with a key that they may replace."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

from . import worlds
from .hooked import Hooked
from .ledger import Holder


class Merchants(Hooked):
    """The part of an institution that knows businesses by their keys.

    What it knows of one has its `key` and the ids of its `accounts`.
    """

    @abstractmethod
    def key_after(self, key: str, number: int) -> str:
        """Return the key that follows on another, by the number of keys there are."""

    @property
    def closed(self) -> bool:
        """Say whether nobody is answered now."""
        return bool(self.ledger.topic("state").get("maintenance"))

    def about(self, name: str) -> Mapping[str, Any]:
        """Return what is known of a business."""
        found: Mapping[str, Any] = self.ledger.topic(self.people)[name]
        return found

    def wallets(self, name: str) -> list[Holder]:
        return [self.ledger.holders[id] for id in self.about(name)["accounts"]]

    # -- what happens

    def replace_key(self, name: str | None = None) -> str:
        """Let somebody make a new key at the dashboard; the old one is dead."""
        name = name or self.demo_world().name
        about = self.about(name)
        fresh = self.key_after(about["key"], len(self.ledger.topic("keys")))
        self.ledger.put(
            ("keys", about["key"], None),
            ("keys", fresh, name),
            (self.people, name, {**about, "key": fresh}),
        )
        return fresh

    def maintenance(self, on: bool = True) -> None:
        """Close the doors for a while, or open them again."""
        self.ledger.put(("state", "maintenance", on or None))


There = TypeVar("There", bound=Merchants)


class World(worlds.World[There]):
    """Opens a business for each, with `opening` and nothing else, or with a past.

    There are no pots here: a number of them other than 0 is refused.
    """

    age = timedelta(days=90)

    def __init__(self, there: There, *, pots: int = 0, **wishes: Any) -> None:
        if pots:
            wishes["pots"] = pots
        super().__init__(there, **wishes)
