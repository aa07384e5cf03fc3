"""Customers on their way in: accounts, keys, coins, and a past of orders and trades."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Final

from providers.sandbox import worlds as base

from .futures import Futures
from .holding import Row, assets_of, holder_of, minor, orders_of, trades_of
from .keys import new_key
from .listing import DAY
from .markets import SPOT, plain
from .orders import effects, new_order, new_trade

BEFORE_FIRST: Final = 354_937_867
USUAL: Final[Mapping[str, str]] = {
    "BTC": "0.84215931",
    "ETH": "5.20310000",
    "BNB": "3.75000000",
    "SOL": "42.00000000",
    "USDT": "12450.55120000",
}
MARGIN: Final[Mapping[str, str]] = {"USDT": "3500.00000000"}
MAY: Final = ("reading", "futures")
# What becomes of orders, and of how many in sixteen.
OUTCOMES: Final = (("FILLED", 12), ("CANCELED", 3), ("EXPIRED", 1))


@dataclass(slots=True)
class Wish:
    """What somebody's past should be like."""

    network: str = ""
    ed25519: bool = False
    may: Sequence[str] = MAY
    markets: Sequence[str] = ("spot", "futures")
    spot: Mapping[str, str] = field(default_factory=lambda: dict(USUAL))
    futures: Mapping[str, str] = field(default_factory=lambda: dict(MARGIN))
    trades: int = 0
    orders: int = 0
    symbols: int = 12
    days: int = 30


class World(base.World[Futures]):
    """Opens accounts as they are wished for."""

    def __init__(self, exchange: Futures, wish: Wish) -> None:
        self.age = timedelta(days=wish.days)
        super().__init__(exchange)
        self.wish, self.numbers = wish, dict[str, int]()

    def admit(self, name: str, number: int) -> None:
        number += BEFORE_FIRST
        key = new_key(f"{number}", list(self.wish.may), ed25519=self.wish.ed25519)
        account = {
            "id": f"{number}",
            "name": name,
            "network": self.wish.network,
            "alias": f"Fz{number:x}",
            "key": key["name"],
            "markets": list(self.wish.markets),
            "opened": self.there.milliseconds() - self.wish.days * DAY,
        }
        self.know(
            ("users", name, account["id"]),
            ("accounts", account["id"], account),
            ("keys", key["name"], key),
        )
        held = {asset: Decimal(amount) for asset, amount in self.wish.spot.items()}
        self.past(account, held)
        self.put(account, "spot", held)
        if "futures" in self.wish.markets:
            wallets = {a: Decimal(amount) for a, amount in self.wish.futures.items()}
            self.put(account, "futures", wallets)

    def put(self, account: Row, segment: str, held: Mapping[str, Decimal]) -> None:
        """Let somebody hold so much to begin with."""
        for asset, amount in held.items():
            where = holder_of(account, segment, asset)
            self.holders.append(self.there.new_holder(account, segment, asset))
            self.know((assets_of(account, segment), asset, where))
            facts = {"description": "Opening balance"}
            self.moved(where, minor(amount), self.opened, facts=facts)

    def past(self, account: Row, held: dict[str, Decimal]) -> None:
        """Make up orders and trades of the last days; `held` becomes what is left."""
        orders, trades = self.wish.orders, max(self.wish.trades, self.wish.orders)
        if not orders:
            return
        chance = random.Random(f"{account['name']}:{orders}:{trades}")
        names = list(SPOT)[: self.wish.symbols]
        filled = [n for n in range(orders) if outcome(n) == "FILLED"]
        share, extra = divmod(trades, len(filled))
        parts = {n: share + (i < extra) for i, n in enumerate(filled)}
        begin, span = account["opened"], self.wish.days * DAY // (orders + 1)
        for n in range(orders):
            symbol = names[n % len(names)]
            moment = begin + span * n + chance.randrange(1, max(2, span // 2))
            order = self.order(symbol, n, moment, parts.get(n, 0), chance)
            made = self.fills(order, parts.get(n, 0), span)
            order |= {
                "filled": plain(
                    sum((Decimal(t["quantity"]) for t in made), Decimal(0))
                ),
                "cost": plain(sum((Decimal(t["cost"]) for t in made), Decimal(0))),
                "status": outcome(n),
                "updated": made[-1]["time"] if made else moment + span // 3,
            }
            self.keep(account, order, made)
            for trade in made:
                for asset, change in effects(order, trade).items():
                    held[asset] = held.get(asset, Decimal(0)) + change
        for asset, amount in held.items():
            # What was sold beyond what is left had been deposited before.
            held[asset] = abs(amount)

    def order(
        self, symbol: str, n: int, moment: int, parts: int, chance: random.Random
    ) -> Row:
        market = SPOT[symbol]
        size = market.step * max(1, parts) * chance.randrange(1, 9)
        price = market.price + market.tick * chance.randrange(-200, 200)
        side = "BUY" if chance.random() < 0.5 else "SELL"
        number = self.number(symbol, "orders")
        price = max(price, market.tick)
        order = new_order(number, "spot", market, side, str(size), str(price))
        return {**order, "price": plain(price), "time": moment}

    def fills(self, order: Row, parts: int, span: int) -> list[Row]:
        """Return the trades of an order that was filled in so many equal parts."""
        made = []
        for part in range(parts):
            size = Decimal(order["quantity"]) / parts
            number = self.number(order["symbol"], "trades")
            price = Decimal(order["price"])
            trade = new_trade(number, order, size, price, maker=part % 2 == 0)
            later = (part + 1) * (span // 2) // (parts + 1)
            made.append({**trade, "time": order["time"] + later})
        return made

    def number(self, symbol: str, what: str) -> int:
        key = f"spot:{symbol}:{what}"
        before = self.there.ledger.topic("numbers").get(key, 1_000_000)
        self.numbers[key] = self.numbers.get(key, before) + 3
        return self.numbers[key]

    def keep(self, account: Row, order: Row, made: Sequence[Row]) -> None:
        symbol = order["symbol"]
        self.know((orders_of("spot", account, symbol), f"{order['id']}", order))
        topic = trades_of("spot", account, symbol)
        self.know(*((topic, f"{trade['id']}", trade) for trade in made))

    def write(self) -> None:
        self.know(*(("numbers", key, number) for key, number in self.numbers.items()))
        super().write()


def outcome(n: int) -> str:
    """Return what became of the nth order."""
    turn = n % sum(often for _, often in OUTCOMES)
    for status, often in OUTCOMES:
        if turn < often:
            return status
        turn -= often
    raise AssertionError("The turn is below the sum")
