"""Businesses on their way in, with wallets and a first few payments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from providers.money import Asset
from providers.sandbox import worlds as base

from .access import Access

FIRST_MERCHANT: Final = 73_361
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


class World(base.World[Access]):
    """Opens wallets for businesses.

    Wishes: `version` 3 or 4, `sandbox` for play money, `opening` minor units of the
    first wallet (the others are empty then), `wallets` their assets, `untouched` where
    nobody ever paid anything.
    """

    age = timedelta(days=120)

    def __init__(
        self,
        house: Access,
        *,
        version: int | str = 3,
        sandbox: bool = False,
        wallets: list[str] | None = None,
        untouched: bool = False,
        **wishes: Any,
    ) -> None:
        super().__init__(house, **wishes)
        self.version, self.sandbox = int(version), sandbox
        self.untouched = untouched
        self.assets = wallets or list(WALLETS)

    def admit(self, name: str, number: int) -> None:
        given, known = self.there.credentials_for(name, self.version, self.sandbox)
        about = {
            "business": f"{name.title()} & Co",
            "merchant": f"{FIRST_MERCHANT + number}",
            "version": self.version,
            "sandbox": self.sandbox,
            "webhook_hash": f"hash-of-{name}",
            **given,
        }
        prefix = self._prefix(about)
        ids = [self._wallet(name, prefix, asset) for asset in self.assets]
        self.know(("shops", name, {**about, "wallets": ids}), *known)

    def _prefix(self, about: Mapping[str, Any]) -> str:
        """Return what balsync calls the wallets of a business by, but for the currency."""
        realm = f"v{self.version}{'test' if self.sandbox else ''}"
        if self.version == 4:
            return f"{realm}:client-{_digest(about['client_id'])}"
        return f"{realm}:{about['merchant']}"

    def _wallet(self, name: str, prefix: str, text: str) -> str:
        id = f"{prefix}:{Asset.parse(text).code}"
        self.hold(id, text, owner=name)
        if self.untouched:
            return id
        if self.opening is None:
            self._pay(id, WALLETS.get(text, 0) - PENDING.get(text, 0))
            self._pay(id, PENDING.get(text, 0), settled=False)
        elif text == self.assets[0]:
            # What failed moved nothing, and is listed all the same.
            self._pay(id, 1_00, declined="Insufficient funds")
            self._pay(id, self.opening)
        return id

    def _pay(self, id: str, amount: int, **about: Any) -> None:
        facts = {"description": "Opening balance"}
        moment = self.opened + timedelta(minutes=len(self.entries))
        self.moved(id, amount, moment, facts=facts, **about)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:20]
