"""Customers on their way in: portfolios with a past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from providers.money import Asset
from providers.sandbox import worlds as base

from .draft import Draft, plain
from .keys import Keys, new_key
from .products import PAIRS

FIAT: Final = frozenset({"USD", "GBP", "EUR"})
# What a demo's portfolio was opened with, in whole units.
OPENING: Final[Mapping[str, str]] = {
    "GBP": "18400.25",
    "BTC": "0.31250000",
    "ETH": "4.2083156942859259",
    "SOL": "62.5",
    "USDC": "2500.000001",
    "DOGE": "0",
}
# (days ago, product, side, size, part that was filled, price)
PAST: Final[Sequence[tuple[int, str, str, str, str, str]]] = (
    (27, "BTC-GBP", "buy", "0.05", "0.05", "51210.5"),
    (21, "ETH-GBP", "buy", "1.2", "1.2", "2301.4"),
    (16, "SOL-GBP", "sell", "12.5", "12.5", "139.87"),
    (9, "ETH-GBP", "sell", "0.75", "0.5", "2466.1"),
    (3, "BTC-GBP", "buy", "0.04", "0", "48000"),
)


class World(base.World[Keys]):
    """Opens portfolios.

    Wishes: `opening`, minor units of the first account; `orders` and `trades`, how many
    there were in the last `days`, over `markets` pairs with the dollar; `accounts`, how
    many there are; `algorithm` of the keys.
    """

    age = timedelta(days=200)

    def __init__(
        self,
        exchange: Keys,
        *,
        orders: int | None = None,
        trades: int = 0,
        markets: int = 12,
        days: int = 30,
        accounts: int | None = None,
        algorithm: str = "ES256",
        **wishes: Any,
    ) -> None:
        super().__init__(exchange, **wishes)
        self.draft, self.algorithm = Draft(exchange.ledger), algorithm
        self.traded, self.trades, self.days = orders, trades, days
        self.markets = [name for name in PAIRS if name.endswith("-USD")][:markets]
        self.accounts = accounts

    def admit(self, name: str, number: int) -> None:
        portfolio = str(uuid5(NAMESPACE_URL, f"portfolio/{number}"))
        key, about = new_key(name, number, self.algorithm)
        opening = self._opening()
        ids = {
            code: self.account(name, portfolio, code, amount)
            for code, amount in opening.items()
        }
        self.draft.put("keys", key, about)
        self.draft.put(
            "people",
            name,
            {"portfolio": portfolio, "key": key, "accounts": list(ids.values())},
        )
        if self.traded is not None:
            self._busy_past(name, ids)
        elif self.opening is None and self.accounts is None:
            self._past(name, ids)

    def account(self, name: str, portfolio: str, code: str, amount: str = "0") -> str:
        """Open an account with an amount of whole units in it, and return its id."""
        number = len(self.there.ledger.holders) + len(self.holders) + 1
        id = str(uuid5(NAMESPACE_URL, f"account/{number}"))
        fiat = code in FIAT
        facts = {
            "name": f"{code} Wallet",
            "type": f"ACCOUNT_TYPE_{'FIAT' if fiat else 'CRYPTO'}",
            "platform": "ACCOUNT_PLATFORM_CONSUMER",
            "portfolio": portfolio,
            "default": True,
            "active": True,
            "deleted": None,
        }
        first = self.hold(id, f"{code}/18", **facts).asset.minor(amount)
        self.draft.move(id, first, self.opened, description="Opening balance")
        return id

    def write(self) -> None:
        super().write()
        self.draft.write()

    def _opening(self) -> Mapping[str, str]:
        """Return what there is at first, in whole units by currency."""
        if self.traded is not None:
            bases = {name.split("-")[0]: "1000000" for name in self.markets}
            return {"USD": "1000000000", **bases}
        if self.accounts is not None:
            codes = [f"C{n:03d}" for n in range(1, self.accounts)]
            return {"GBP": "100", **dict.fromkeys(codes, "0.1")}
        if self.opening is not None:
            return {"GBP": Asset("GBP", 18).major(self.opening)}
        return OPENING

    def _past(self, name: str, ids: Mapping[str, str]) -> None:
        """Let there have been what a person would have ordered in a month."""
        for ago, product, side, size, filled, price in PAST:
            moment = self.now - timedelta(days=ago, minutes=7 * ago)
            wish = {"product": product, "side": side, "size": size, "price": price}
            order = self.draft.place(name, ids, moment, wish)
            if part := Decimal(filled):
                later = moment + timedelta(minutes=3)
                self.draft.fill(
                    order,
                    part,
                    Decimal(price),
                    later,
                    maker=True,
                    last=part == Decimal(size),
                )

    def _busy_past(self, name: str, ids: Mapping[str, str]) -> None:
        """Let there have been so many orders and fills, some of each kind of end."""
        chance = Random(name)
        total = self.traded or 0
        length = timedelta(days=self.days) / max(total, 1)
        for number in range(total):
            product = self.markets[number % len(self.markets)]
            moment = self.now - timedelta(days=self.days) + length * number
            fills = (number + 1) * self.trades // total - number * self.trades // total
            self._busy_order(chance, name, ids, product, moment, fills, length)

    def _busy_order(
        self,
        chance: Random,
        name: str,
        ids: Mapping[str, str],
        product: str,
        moment: datetime,
        fills: int,
        length: timedelta,
    ) -> None:
        size = Decimal(chance.randint(1, 10**6)).scaleb(-4)
        price = Decimal(PAIRS[product]) * chance.randint(95, 105) / 100
        rest = size if chance.random() < 0.3 or not fills else Decimal(0)
        wish = {
            "product": product,
            "side": chance.choice(("buy", "sell")),
            "size": plain(size * fills + rest),
            "price": plain(price),
        }
        order = self.draft.place(name, ids, moment, wish)
        for number in range(fills):
            later = moment + length * (number + 1) / (fills + 2)
            ends = not rest and number == fills - 1
            order, _ = self.draft.fill(
                order, size, price, later, maker=chance.random() < 0.5, last=ends
            )
        if rest and chance.random() < 0.8:
            self.draft.turn(order, chance.choice(("CANCELLED", "EXPIRED")))
