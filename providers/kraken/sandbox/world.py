"""Customers on their way in: keys, portfolios, and months of trading if wished for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from providers.sandbox import worlds as base
from providers.sandbox.ledger import Holder

from .books import Line, txid
from .catalogue import asset_of
from .door import EVERYTHING, fresh
from .engine import Engine, Row
from .history import History

DAY: Final = 86_400 * 10**6  # microseconds
# What everybody holds; the first one is where wages would go.
PORTFOLIO: Final[Mapping[str, str]] = {
    "ZUSD": "25435.2100",
    "ZEUR": "1200.0000",
    "XXBT": "1.2435000000",
    "XETH": "12.5000000000",
    "SOL": "40.0000000000",
    "ADA": "5000.00000000",
    "DOT": "320.0000000000",
    "USDT": "1500.00000000",
    "XBT.M": "0.2500000000",
    "ETH2.S": "2.0000000000",
    "DOT28.S": "150.0000000000",
    "SOL.F": "10.5000000000",
    "USD.B": "500.0000",
    "XXDG": "0.00000000",  # held once: such assets stay in the list
}
# market, side, quantity, price, what became of it, days ago
ORDERS: Final[Sequence[tuple[str, str, str, str, str, int]]] = (
    ("BTC/USD", "buy", "0.10000000", "61000.0", "closed", 20),
    ("ETH/USD", "buy", "2.00000000", "2950.00", "closed", 12),
    ("SOL/USD", "sell", "5.00000000", "171.00", "canceled", 9),
    ("DOT/USD", "sell", "20.00000000", "7.1000", "expired", 5),
    ("BTC/USD", "buy", "0.10000000", "58000.0", "open", 2),
    ("ETH/USD", "sell", "1.50000000", "3600.00", "open", 1),
)


@dataclass
class Plan:
    """What one customer comes with."""

    name: str
    iban: str
    lines: list[Line] = field(default_factory=list)
    orders: dict[str, Row] = field(default_factory=dict)
    trades: dict[str, Row] = field(default_factory=dict)


class World(base.World[Engine]):
    """Gives each the demo's portfolio.

    `trades` fills and `orders` orders over `markets` markets within the last `days`
    days are made up besides, the same for the same name.
    """

    def __init__(
        self,
        exchange: Engine,
        *,
        trades: int = 0,
        orders: int = 0,
        markets: int = 12,
        days: int = 30,
    ) -> None:
        self.age = timedelta(days=days + 60)
        super().__init__(exchange)
        self.moment = exchange.moment()
        self.wish = (trades, max(orders, bool(trades)), markets, days)
        self.people: list[Plan] = []

    def admit(self, name: str, number: int) -> None:
        iban = f"AA{number % 100:02d}N84G{number:08d}"
        person = {
            "iban": iban,
            "key": fresh(f"key {number}", 56),
            "secret": fresh(f"secret {number}", 64),
            "permissions": list(EVERYTHING),
            "addresses": [],
            "revoked": False,
            "valid_until": 0,
            "created": self.moment // 10**6 - 86_400,
            "credit": {},
        }
        known_by = {"owner": name, "secret": person["secret"]}
        self.know(("people", name, person), ("keys", str(person["key"]), known_by))
        plan = Plan(name, iban)
        self.people.append(plan)
        self.holders += self._accounts(plan)

    def write(self) -> None:
        super().write()
        lines = [line for plan in self.people for line in self._traded(plan)]
        self.there.book(*lines)
        rows = [("trades", i, t) for p in self.people for i, t in p.trades.items()]
        rows += [("orders", i, o) for p in self.people for i, o in p.orders.items()]
        self.there.ledger.put(*rows)

    def _accounts(self, plan: Plan) -> list[Holder]:
        codes = [*PORTFOLIO]
        if self.wish[1]:
            codes += [c for c in History.codes(self.wish[2]) if c not in PORTFOLIO]
        return [
            self.there.account(plan.name, f"{plan.iban}:{code}", code, self.opened)
            for code in codes
        ]

    def _traded(self, plan: Plan) -> list[Line]:
        """Return all that changed this customer's balances, which end as wished for."""
        ledger = self.there.ledger
        first = [len(ledger.topic(name)) for name in ("orders", "trades")]
        first[0] += sum(len(other.orders) for other in self.people)
        first[1] += sum(len(other.trades) for other in self.people)
        history = History(plan.name, self.moment, *first)
        history.made(ORDERS)
        history.invented(*self.wish)
        plan.orders, plan.trades = history.orders, history.trades
        changes = [
            line
            for id, trade in plan.trades.items()
            for line in self.there.lines(id, trade)
        ]
        return [*self._opening(plan, changes), *changes]

    def _opening(self, plan: Plan, changes: Sequence[Line]) -> list[Line]:
        """Return deposits before everything, so large that nothing is ever overdrawn."""
        moment = self.moment - (self.wish[3] + 30) * DAY
        out: dict[str, int] = {}
        sums: dict[str, int] = {}
        for line in changes:
            delta = line.amount - line.fee
            sums[line.holder] = sums.get(line.holder, 0) + delta
            out[line.holder] = out.get(line.holder, 0) + max(0, -delta)
        found = []
        for number, holder in enumerate(self._accounts(plan)):
            code = holder.facts["code"]
            wanted = asset_of(code).minor(PORTFOLIO.get(code, "1000"))
            amount = max(wanted - sums.get(holder.id, 0), out.get(holder.id, 0))
            refid = txid("D", number)
            found.append(Line(holder.id, amount, "deposit", refid, moment + number))
        return found
