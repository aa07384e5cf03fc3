"""A place where assets are traded, in this process: its adapter asks a world of rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils.timezone import now

import providers
from accounts import services
from accounts.models import Connection, Workspace
from providers.base import (
    DescribesKey,
    Observation,
    Permissions,
    Place,
    Provider,
    Reading,
)
from providers.errors import ProviderError
from providers.money import Asset
from providers.trading import (
    Market,
    Order,
    Page,
    Position,
    ReportsTrading,
    Sought,
    Trade,
)
from providers.wire import Call

SLUG = "bourse"
PAGE = 100


@dataclass
class World:
    """What the exchange knows of one customer, and what goes wrong there."""

    balances: dict[str, int] = field(default_factory=dict)  # asset → minor units
    orders: list[Order] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    may: Permissions = field(default_factory=lambda: Permissions(read=True))
    calls: list[str] = field(default_factory=list)
    failing: Callable[[str], ProviderError | None] = lambda what: None
    complete: bool = True

    def asked(self, what: str) -> None:
        """Count a question, and raise what is planned for it."""
        self.calls.append(what)
        if error := self.failing(what):
            raise error

    def order(self, name: str) -> Order:
        return next(o for o in self.orders if o.external_id == name)

    def replace(self, order: Order) -> None:
        names = [o.external_id for o in self.orders]
        self.orders[names.index(order.external_id)] = order


WORLD = World()


class Bourse(Provider, ReportsTrading, DescribesKey):
    """Pages by offset: the cursor is how many rows were told."""

    name = "Bourse"
    hosts = {"api": "http://127.0.0.1:9"}
    fields = ()

    def observe(self, known: Sequence[Place] = ()) -> Call[Observation]:
        yield from question("observe")
        readings = [
            Reading(f"main {asset}", Asset.parse(asset), total, total, kind="exchange")
            for asset, total in WORLD.balances.items()
        ]
        return Observation(readings, complete=WORLD.complete, lists_held_only=True)

    def permissions(self) -> Call[Permissions]:
        yield from question("permissions")
        return WORLD.may

    def books(
        self, assets: Collection[str], known: Collection[Market], *, wide: bool = False
    ) -> Call[Sequence[str]]:
        yield from question(f"books wide={wide}")
        everything = {row.market for row in (*WORLD.orders, *WORLD.trades)}
        there = [
            m for m in everything if m.base in assets and (wide or m.quote in assets)
        ]
        return sorted({m.name for m in (*there, *known) if m in everything})

    def open_orders(self) -> Call[Sequence[Order]]:
        yield from question("open_orders")
        return [o for o in WORLD.orders if o.status in ("open", "partially_filled")]

    def find_order(self, sought: Sought) -> Call[Order | None]:
        yield from question(f"find_order {sought.external_id}")
        found = [o for o in WORLD.orders if o.external_id == sought.external_id]
        return found[0] if found else None

    def orders(
        self, book: str, cursor: str, *, now: datetime, since: datetime
    ) -> Call[Page[Order]]:
        return (yield from page("orders", WORLD.orders, book, cursor, since))

    def trades(
        self, book: str, cursor: str, *, now: datetime, since: datetime
    ) -> Call[Page[Trade]]:
        return (yield from page("trades", WORLD.trades, book, cursor, since))

    def positions(self) -> Call[Sequence[Position]]:
        yield from question("positions")
        return list(WORLD.positions)


def question(what: str) -> Iterator[list]:
    """Ask nobody: the world is here."""
    WORLD.asked(what)
    yield []


def page(what, rows, book, cursor, since):
    yield from question(f"{what} {book} {cursor}".strip())
    there = [r for r in rows if r.market.name == book and r.created >= since]
    begin = int(cursor or 0)
    some = there[begin : begin + PAGE]
    end = begin + len(some)
    return Page(some, str(end), more=end < len(there))


@contextmanager
def open_bourse(monkeypatch) -> Iterator[World]:
    """Let there be a provider that nobody finds by its folder."""
    load, slugs = providers.load, providers.slugs
    monkeypatch.setattr(
        providers, "load", lambda slug: Bourse if slug == SLUG else load(slug)
    )
    monkeypatch.setattr(providers, "slugs", lambda: (*slugs(), SLUG))
    WORLD.__init__()
    yield WORLD


def history(markets: int, trades: int, orders: int, *, end: datetime | None = None):
    """Return so many orders and trades over so many markets within 29 days."""
    end = end or now().replace(microsecond=0)
    places = [Market(f"A{n:02}Q", f"A{n:02}", "Q") for n in range(markets)]
    step = timedelta(days=29) / max(orders, 1)
    made = [
        Order(
            f"o{n}",
            places[n % markets],
            "buy",
            "limit",
            "open" if n % 10 == 0 else "filled",
            quantity=Decimal(2),
            filled=Decimal(0) if n % 10 == 0 else Decimal(2),
            created=end - timedelta(days=29) + n * step,
            price=Decimal("1.5"),
        )
        for n in range(orders)
    ]
    step = timedelta(days=29) / max(trades, 1)
    fills = [
        Trade(
            f"t{n}",
            f"o{n % max(orders, 1)}" if orders else "",
            places[(n % orders if orders else n) % markets],
            "buy",
            quantity=Decimal(n + 1).scaleb(-8),
            price=Decimal("1.5"),
            cost=Decimal(n + 1).scaleb(-8) * Decimal("1.5"),
            created=end - timedelta(days=29) + n * step,
            fee=Decimal(0),
        )
        for n in range(trades)
    ]
    return made, fills


@pytest.fixture
def bourse(monkeypatch) -> Iterator[World]:
    with open_bourse(monkeypatch) as world:
        world.balances = {"A00/8": 5_000, "Q/2": 100_000}
        yield world


@pytest.fixture
def connection(bourse, db) -> Connection:
    home = Workspace.objects.create(name="home")
    return services.connect(home, SLUG, {}, label="bourse")
