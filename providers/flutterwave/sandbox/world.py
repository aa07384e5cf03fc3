"""Businesses on their way in, with wallets and a first few payments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from providers.money import Asset
from providers.sandbox.ledger import OUTSIDE, Entry, Holder

from .access import Access

OPENED: Final = timedelta(days=120)
# What is in the wallets of a demo, in minor units.
WALLETS: Final[Mapping[str, int]] = {
    "NGN/2": 2_367_840_50,
    "USD/2": 472_08,
    "KES/2": 1_226_72,
    "GHS/2": 84_150_30,
    "RWF/0": 5_000,
    "XOF/0": 0,
    "GBP/2": 318_45,
    "EUR/2": 0,
}
PENDING: Final[Mapping[str, int]] = {"NGN/2": 150_25, "USD/2": 12_03}


class World:
    """Collects what is to be opened; it is written when it is complete.

    Wishes: `version` 3 or 4, `sandbox` for play money, `opening` minor units of the
    first wallet (the others are empty then), `wallets` their assets, `untouched` where
    nobody ever paid anything.
    """

    def __init__(
        self,
        house: Access,
        *,
        version: int | str = 3,
        sandbox: bool = False,
        opening: int | str | None = None,
        wallets: list[str] | None = None,
        untouched: bool = False,
        **nothing: Any,
    ) -> None:
        if nothing:
            raise TypeError(f"Unknown wishes: {sorted(nothing)}")
        self.house, self.version, self.sandbox = house, int(version), sandbox
        self.untouched, self.opening = untouched, opening
        self.assets = wallets or list(WALLETS)
        self.opened = house.clock.now() - OPENED
        self.holders: list[Holder] = []
        self.facts: list[tuple[str, str, Any]] = []
        self.entries: list[Entry] = []

    def shop(self, name: str) -> None:
        shops = self.house.ledger.topic("shops")
        if name in shops:
            raise ValueError(f"{name} is a customer already")
        merchant = 73_362 + len(shops) + len(self.facts)
        given, known = self.house.credentials_for(name, self.version, self.sandbox)
        about = {
            "business": f"{name.title()} & Co",
            "merchant": f"{merchant}",
            "version": self.version,
            "sandbox": self.sandbox,
            "webhook_hash": f"hash-of-{name}",
            **given,
        }
        prefix = self._prefix(about)
        ids = [self._wallet(name, prefix, asset) for asset in self.assets]
        self.facts += [("shops", name, {**about, "wallets": ids}), *known]

    def _prefix(self, about: Mapping[str, Any]) -> str:
        """Return what balsync calls the wallets of a business by, but for the currency."""
        realm = f"v{self.version}{'test' if self.sandbox else ''}"
        if self.version == 4:
            return f"{realm}:client-{_digest(about['client_id'])}"
        return f"{realm}:{about['merchant']}"

    def _wallet(self, name: str, prefix: str, text: str) -> str:
        asset = Asset.parse(text)
        id = f"{prefix}:{asset.code}"
        self.holders.append(Holder(id, asset, self.opened, {"owner": name}))
        if self.untouched:
            return id
        if self.opening is None:
            self._pay(id, WALLETS.get(text, 0) - PENDING.get(text, 0))
            self._pay(id, PENDING.get(text, 0), settled=False)
        elif text == self.assets[0]:
            # What failed moved nothing, and is listed all the same.
            self._pay(id, 1_00, declined="Insufficient funds")
            self._pay(id, int(self.opening))
        return id

    def _pay(self, id: str, amount: int, **about: Any) -> None:
        if amount:
            count = len(self.house.ledger.entries) + len(self.entries) + 1
            facts = {"description": "Opening balance"}
            moment = self.opened + timedelta(minutes=len(self.entries))
            entry = Entry(
                f"tx_{count:016d}", OUTSIDE, id, amount, moment, facts=facts, **about
            )
            self.entries.append(entry)

    def write(self) -> None:
        ledger = self.house.ledger
        ledger.open(*self.holders)
        ledger.put(*self.facts)
        ledger.move(*self.entries)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:20]
