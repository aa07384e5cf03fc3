"""People on their way in: addresses with tokens, a past, and an allowance too large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from providers.sandbox import worlds as base
from providers.sandbox.ledger import OUTSIDE

from ..wallet import USUAL
from .books import Books

GAS: Final = "POL/18"


@dataclass(frozen=True, slots=True)
class Token:
    """A contract that keeps balances."""

    code: str
    name: str
    decimals: int


NAMES: Final = ("USD Coin", "USD Coin (PoS)", "Polymarket USD")
TOKENS: Final = {
    address: Token(code, name, 6)
    for (code, address), name in zip(USUAL, NAMES, strict=True)
}
# Source: Polymarket's documentation, "CTF Exchange V2".
SPENDER: Final = ("CTF Exchange V2", "0xe111180000d2663c0091e4f400237545b87b996b")
USDC, BRIDGED, PUSD = TOKENS
# What the demo's person was given, in minor units: (role, token, amount).
OPENING: Final = (
    ("derived", USDC, 24_000_000),
    ("derived", BRIDGED, 349_852_118),
    ("derived", "native", 12_345_678_901_234_567_890),
    ("proxy", PUSD, 1_250_400_000),
    ("proxy", BRIDGED, 75_000_001),
)
ROLES: Final = ("derived", "proxy")


def address_for(name: str, role: str) -> str:
    """Return the address that somebody has in a role."""
    return "0x" + sha256(f"{name}/{role}".encode()).hexdigest()[:40]


class World(base.World[Books]):
    """Opens addresses for each.

    Wishes: `opening`, minor units of the first account, which is then all there is;
    `wallets`, how many addresses each has.
    """

    age = timedelta(days=60)

    def __init__(
        self, books: Books, *, wallets: int = len(ROLES), **wishes: Any
    ) -> None:
        super().__init__(books, **wishes)
        self.wallets = int(wallets)
        self.block = books.chain.height(int(self.opened.timestamp() * 1000))
        self.tokens = dict(books.ledger.topic("tokens"))
        if not self.tokens:
            self.tokens = {address: asdict(token) for address, token in TOKENS.items()}
            self.know(*(("tokens", a, about) for a, about in self.tokens.items()))

    def admit(self, name: str, number: int) -> None:
        roles = [*ROLES, *(f"wallet{n}" for n in range(3, self.wallets + 1))]
        owned = [
            {"address": address_for(name, role), "role": role}
            for role in roles[: self.wallets]
        ]
        for one in owned:
            self._open(one["address"])
        self.know(("people", name, {"addresses": owned}))
        self._give(name, owned)

    def _open(self, address: str) -> None:
        told = self.tokens.items()
        assets = {a: f"{about['code']}/{about['decimals']}" for a, about in told}
        for token, asset in {**assets, "native": GAS}.items():
            self.hold(f"{address}:{token}", asset)

    def _give(self, name: str, owned: Sequence[Mapping[str, str]]) -> None:
        addresses = {one["role"]: one["address"] for one in owned}
        wished = OPENING if self.opening is None else (("derived", USDC, self.opening),)
        for role, token, amount in wished:
            if role in addresses and amount:
                self._deposit(f"{addresses[role]}:{token}", amount)
        if self.opening is None and "proxy" in addresses:
            key = f"{addresses['proxy']}:{PUSD}:{SPENDER[1]}"
            self.know(("allowances", key, [[self.block, str(2**256 - 1)]]))

    def _deposit(self, holder: str, amount: int) -> None:
        number = len(self.there.ledger.entries) + len(self.entries)
        self.entries.append(
            self.there.transfer(OUTSIDE, holder, amount, self.block, number, {})
        )
