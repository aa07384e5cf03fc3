"""People on their way in: addresses with tokens, a past, and an allowance too large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from providers.money import Asset
from providers.sandbox.ledger import OUTSIDE, Entry, Holder

from ..wallet import USUAL
from .books import Books

OPENED: Final = timedelta(days=60)  # before now
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


class World:
    """Collects what is to be opened; it is written when it is complete.

    Wishes: `opening`, minor units of the first account, which is then all there is;
    `wallets`, how many addresses each has.
    """

    def __init__(
        self,
        books: Books,
        *,
        opening: int | str | None = None,
        wallets: int = len(ROLES),
        **nothing: Any,
    ) -> None:
        if nothing:
            raise TypeError(f"Unknown wishes: {sorted(nothing)}")
        self.books, self.wallets = books, int(wallets)
        self.opening = None if opening is None else int(opening)
        self.opened = books.clock.now() - OPENED
        self.block = books.chain.height(int(self.opened.timestamp() * 1000))
        self.holders: list[Holder] = []
        self.entries: list[Entry] = []
        self.facts: list[tuple[str, str, Any]] = []
        if not books.ledger.topic("tokens"):
            self.facts += [("tokens", a, asdict(t)) for a, t in TOKENS.items()]

    def person(self, name: str) -> None:
        ledger = self.books.ledger
        if name in ledger.topic("people") or ("people", name) in {
            fact[:2] for fact in self.facts
        }:
            raise ValueError(f"{name} is a customer already")
        roles = [*ROLES, *(f"wallet{n}" for n in range(3, self.wallets + 1))]
        owned = [
            {"address": address_for(name, role), "role": role}
            for role in roles[: self.wallets]
        ]
        for one in owned:
            self._open(one["address"])
        self.facts.append(("people", name, {"addresses": owned}))
        self._give(name, owned)

    def write(self) -> None:
        """Write all of it to the books."""
        ledger = self.books.ledger
        ledger.open(*self.holders)
        ledger.put(*self.facts)
        if self.entries:
            ledger.move(*self.entries)

    def _open(self, address: str) -> None:
        found = {**self.books.ledger.topic("tokens")}
        found |= {key: about for topic, key, about in self.facts if topic == "tokens"}
        assets = {a: f"{t['code']}/{t['decimals']}" for a, t in found.items()}
        for token, asset in {**assets, "native": GAS}.items():
            id = f"{address}:{token}"
            self.holders.append(Holder(id, Asset.parse(asset), self.opened, {}))

    def _give(self, name: str, owned: Sequence[Mapping[str, str]]) -> None:
        addresses = {one["role"]: one["address"] for one in owned}
        wished = OPENING if self.opening is None else (("derived", USDC, self.opening),)
        for role, token, amount in wished:
            if role in addresses and amount:
                self._deposit(f"{addresses[role]}:{token}", amount)
        if self.opening is None and "proxy" in addresses:
            key = f"{addresses['proxy']}:{PUSD}:{SPENDER[1]}"
            self.facts.append(("allowances", key, [[self.block, str(2**256 - 1)]]))

    def _deposit(self, holder: str, amount: int) -> None:
        number = len(self.books.ledger.entries) + len(self.entries)
        self.entries.append(
            self.books.transfer(OUTSIDE, holder, amount, self.block, number, {})
        )
