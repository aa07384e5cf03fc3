"""Whose portfolios these are, and what accounts are in them."""

from __future__ import annotations

from typing import Any

from providers.sandbox import clock
from providers.sandbox.institution import Customer, Holding
from providers.sandbox.ledger import Holder

from .streaming import Streaming
from .world import World


class Portfolios(Streaming):
    """The part that knows customers by their names."""

    def customer(self, name: str) -> Customer:
        person = self.ledger.topic("people")[name]
        private = self.ledger.topic("keys")[person["key"]]["private"]
        holders = [self.ledger.holders[id] for id in person["accounts"]]
        credentials = {"key_name": person["key"], "private_key": private}
        return Customer(name, credentials, [_holding(h) for h in holders])

    def world(self, **wishes: Any) -> World:
        return World(self, **wishes)

    def open_account(self, name: str, currency: str) -> str:
        """Open one more account, and return its id."""
        person = self.ledger.topic("people")[name]
        world = self.world()
        id = world.account(name, person["portfolio"], currency)
        world.draft.put(
            "people", name, {**person, "accounts": [*person["accounts"], id]}
        )
        world.write()
        return id

    def close_account(self, account: str) -> None:
        """Delete an account: it stays in the list, with the moment it was deleted."""
        now = clock.text(self.clock.now())
        self.ledger.amend(account, deleted=now, active=False)


def _holding(account: Holder) -> Holding:
    about = account.facts
    return Holding(
        account.id,
        "exchange",
        about["name"],
        str(account.asset),
        closed=about["deleted"] is not None,
    )
