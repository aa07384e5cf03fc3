"""The port for places where assets are traded. balsync reads there, and never orders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Generic, TypeVar

from .wire import Call

OPEN: Final = "open"
PARTIALLY_FILLED: Final = "partially_filled"
FILLED: Final = "filled"
CANCELLED: Final = "cancelled"
EXPIRED: Final = "expired"
REJECTED: Final = "rejected"
LIVE: Final = frozenset({OPEN, PARTIALLY_FILLED})
STATUSES: Final = LIVE | {FILLED, CANCELLED, EXPIRED, REJECTED}

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Market:
    """Where two assets are exchanged, by the provider's own name of the pair.

    `base` and `quote` are codes as readings name assets. A future's contract is a
    market, too; its `segment` keeps it apart from the pair of the same name.
    """

    name: str
    base: str
    quote: str
    segment: str = "spot"  # or "futures"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the provider reports it, in whole units: quantities are of `base`.

    `cost` is what was paid or received for `filled`, in `quote`; None where the
    provider does not tell. `external_id` is unique within the market.
    """

    external_id: str
    market: Market
    side: str  # "buy" or "sell"
    kind: str  # the provider's type of order, in lower case: "limit", "market" …
    status: str  # one of STATUSES
    quantity: Decimal
    filled: Decimal
    created: datetime
    cost: Decimal | None = None
    price: Decimal | None = None  # its limit, where it has one
    updated: datetime | None = None
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill, in whole units. `pnl` is the provider's own realised figure, or None.

    `fee` is positive where it was paid; `external_id` is unique within the market.
    """

    external_id: str
    order_id: str
    market: Market
    side: str
    quantity: Decimal
    price: Decimal
    cost: Decimal  # in `quote`
    created: datetime
    fee: Decimal | None = None
    fee_asset: str = ""
    maker: bool | None = None
    pnl: Decimal | None = None
    pnl_asset: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """What is held in a contract, or on margin: `quantity` is above zero, `side` says how."""

    external_id: str  # unique within the market
    market: Market
    side: str  # "long" or "short"
    quantity: Decimal
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    pnl: Decimal | None = None  # not realised yet, in `pnl_asset`
    pnl_asset: str = ""
    liquidation_price: Decimal | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A stretch of rows, oldest first; `cursor` and `more` are as in a `History`."""

    rows: Sequence[Row]
    cursor: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class Sought:
    """An order that somebody remembers, as a look-up names it."""

    external_id: str
    market: Market


EVERYTHING: Final = "all"  # the one book of those who keep no other


class ReportsTrading(ABC):
    """Providers that tell the orders, trades and positions of an account.

    Histories are kept in books: one for each market where the provider asks for a
    market, one for all of them elsewhere. A book's name means something to its
    provider only.
    """

    @abstractmethod
    def books(
        self, assets: Collection[str], known: Collection[Market], *, wide: bool = False
    ) -> Call[Sequence[str]]:
        """Return the books in which trades may be.

        `assets` are the codes ever held, `known` the markets with orders or trades seen
        before. `wide`: every market that trades one of `assets`, not only those that
        exchange two of them.
        """

    @abstractmethod
    def open_orders(self) -> Call[Sequence[Order]]:
        """Return every order that is open now; raises where not all can be told."""

    @abstractmethod
    def find_order(self, sought: Sought) -> Call[Order | None]:
        """Return an order as it is now; None only if the provider says there is none.

        Raises a ProviderError where the look-up failed: that says nothing of the order.
        """

    @abstractmethod
    def orders(
        self, book: str, cursor: str, *, now: datetime, since: datetime
    ) -> Call[Page[Order]]:
        """Return orders made after `cursor`, or since `since` where there is none yet."""

    @abstractmethod
    def trades(
        self, book: str, cursor: str, *, now: datetime, since: datetime
    ) -> Call[Page[Trade]]:
        """Return trades after `cursor`, or since `since` where there is none yet."""

    @abstractmethod
    def positions(self) -> Call[Sequence[Position]]:
        """Return every position there is; raises where not all can be told."""


class KeepsOneBook(ReportsTrading):
    """Providers that list the orders and the trades of all markets together."""

    def books(
        self, assets: Collection[str], known: Collection[Market], *, wide: bool = False
    ) -> Call[Sequence[str]]:
        """Return the one book of all markets; nothing has to be asked for that."""
        return [EVERYTHING]
        yield
