"""Orders, trades and positions as providers tell them, and how far histories were read."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.db import models
from django.utils.timezone import now

from accounts.fields import Figure, is_figure
from accounts.trading.words import ABSENT
from accounts.visibility import seen_by
from providers import trading

from .connection import Connection
from .sync import SyncRun

ZERO = Decimal(0)


class TradedQuerySet(models.QuerySet):
    def of(self, user) -> TradedQuerySet:
        """Return the rows that `user` may see."""
        return self.filter(seen_by(user, "connection__workspace"))


class Side(models.TextChoices):
    BUY = "buy"
    SELL = "sell"


class Traded(models.Model):
    """What a connection has in a market; `external_id` is unique within the market."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(  # an index below finds them
        Connection, models.PROTECT, related_name="%(class)ss", db_index=False
    )
    segment = models.CharField(max_length=40)
    market = models.CharField(max_length=60, help_text="The provider's name of it.")
    base = models.CharField(max_length=24)
    quote = models.CharField(max_length=24)
    external_id = models.CharField(max_length=100)
    recorded_at = models.DateTimeField(default=now, editable=False)

    objects = TradedQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.market} {self.external_id}"

    @property
    def place(self) -> trading.Market:
        """Return the market as providers name it."""
        return trading.Market(self.market, self.base, self.quote, self.segment)


def unique(name: str) -> models.UniqueConstraint:
    fields = ["connection", "segment", "market", "external_id"]
    return models.UniqueConstraint(fields=fields, name=name)


class Order(Traded):
    """An order as the provider told of it last. balsync itself never places one."""

    class Status(models.TextChoices):
        OPEN = trading.OPEN
        PARTIALLY_FILLED = trading.PARTIALLY_FILLED
        FILLED = trading.FILLED
        CANCELLED = trading.CANCELLED
        EXPIRED = trading.EXPIRED
        REJECTED = trading.REJECTED
        ABSENT = ABSENT, "Absent"

    client_id = models.CharField(max_length=100, blank=True)
    side = models.CharField(max_length=4, choices=Side)
    kind = models.CharField("type", max_length=40, blank=True)
    status = models.CharField(
        max_length=20,
        choices=Status,
        help_text="Absent: the provider says that there is no such order.",
    )
    quantity = Figure(help_text="In the base asset.")
    filled = Figure(help_text="Of the quantity.")
    cost = Figure(null=True, blank=True, help_text="For what is filled, in the quote.")
    price = Figure(null=True, blank=True, help_text="Its limit, in the quote.")
    created = models.DateTimeField()
    updated = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(help_text="When the provider told of it last.")
    absent_at = models.DateTimeField(
        null=True, blank=True, help_text="When the provider said that there is none."
    )
    doubt = models.CharField(
        max_length=500,
        blank=True,
        help_text="Why it is not known how it is: the last look-up failed, or most "
        "orders were gone at once.",
    )

    class Meta:
        ordering = ["-created"]
        constraints = [
            unique("one_order_per_external_id"),
            models.CheckConstraint(
                condition=is_figure("quantity", least=ZERO)
                & is_figure("filled", least=ZERO)
                & is_figure("cost")
                & is_figure("price"),
                name="order_has_figures",
            ),
        ]
        indexes = [
            models.Index(fields=["connection", "-created"], name="order_by_time"),
            models.Index(
                fields=["connection"],
                condition=models.Q(status__in=sorted(trading.LIVE)),
                name="order_live",
            ),
        ]

    @property
    def is_live(self) -> bool:
        return self.status in trading.LIVE


class Trade(Traded):
    """One fill, never changed: the database refuses UPDATE and DELETE."""

    order_id = models.CharField(max_length=100, blank=True)
    side = models.CharField(max_length=4, choices=Side)
    quantity = Figure(help_text="In the base asset.")
    price = Figure(help_text="In the quote asset.")
    cost = Figure(help_text="In the quote asset.")
    fee = Figure(null=True, blank=True, help_text="Above zero where it was paid.")
    fee_asset = models.CharField(max_length=24, blank=True)
    maker = models.BooleanField(null=True, blank=True)
    pnl = Figure(null=True, blank=True, help_text="As the provider says.")
    pnl_asset = models.CharField(max_length=24, blank=True)
    created = models.DateTimeField()

    class Meta:
        ordering = ["-created"]
        constraints = [
            unique("one_trade_per_external_id"),
            models.CheckConstraint(
                condition=is_figure("quantity", least=ZERO)
                & is_figure("price")
                & is_figure("cost")
                & is_figure("fee")
                & is_figure("pnl"),
                name="trade_has_figures",
            ),
        ]
        indexes = [
            models.Index(fields=["connection", "-created"], name="trade_by_time")
        ]

    @property
    def realised(self) -> tuple[Decimal | None, str, str | None]:
        """Return what it has earned, in which asset, and who says so: mostly unknown."""
        if self.pnl is not None:
            return self.pnl, self.pnl_asset, "provider"
        gain = getattr(self, "gain", None)
        return (gain.amount, gain.asset, "worked_out") if gain else (None, "", None)


class Gain(models.Model):
    """What a sale has earned, worked out from the trades before it; rewritten at will."""

    trade = models.OneToOneField(
        Trade, models.CASCADE, primary_key=True, related_name="gain"
    )
    amount = Figure()
    asset = models.CharField(max_length=24)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=is_figure("amount"), name="gain_is_figure")
        ]

    def __str__(self) -> str:
        return f"{self.amount:f} {self.asset}"


class PositionQuerySet(TradedQuerySet):
    def open(self) -> PositionQuerySet:
        return self.filter(closed_at=None)


class Position(Traded):
    """What is held in a contract or on margin; a derived one is worked out from trades."""

    class Side(models.TextChoices):
        LONG = "long"
        SHORT = "short"

    side = models.CharField(max_length=5, choices=Side)
    quantity = Figure(help_text="In the base asset, or in contracts.")
    entry_price = Figure(null=True, blank=True)
    mark_price = Figure(null=True, blank=True)
    pnl = Figure(null=True, blank=True, verbose_name="unrealised P&L")
    pnl_asset = models.CharField(max_length=24, blank=True)
    liquidation_price = Figure(null=True, blank=True)
    derived = models.BooleanField(
        default=False, help_text="Worked out from trades: the provider tells of none."
    )
    created = models.DateTimeField(default=now, help_text="When it was seen first.")
    updated = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(help_text="When the provider told of it last.")
    closed_at = models.DateTimeField(null=True, blank=True)
    doubt = models.CharField(max_length=500, blank=True)

    objects = PositionQuerySet.as_manager()

    class Meta:
        ordering = ["-created"]
        constraints = [
            unique("one_position_per_external_id"),
            models.CheckConstraint(
                condition=is_figure("quantity", least=ZERO)
                & is_figure("entry_price")
                & is_figure("mark_price")
                & is_figure("pnl")
                & is_figure("liquidation_price"),
                name="position_has_figures",
            ),
        ]
        indexes = [
            models.Index(fields=["connection", "-created"], name="position_by_time")
        ]


class BookCursor(models.Model):
    """How far one history was read; a recovery has its own, until it is done."""

    class What(models.TextChoices):
        ORDERS = "orders"
        TRADES = "trades"

    connection = models.ForeignKey(
        Connection, models.CASCADE, related_name="books", db_index=False
    )
    what = models.CharField(max_length=10, choices=What)
    book = models.CharField(max_length=200, blank=True)
    sync = models.ForeignKey(
        SyncRun,
        models.CASCADE,
        null=True,
        related_name="books",
        help_text="The recovery whose own it is; empty: what syncs go on from.",
    )
    cursor = models.TextField(blank=True)
    since = models.DateTimeField(help_text="From when on it is read.")
    read_at = models.DateTimeField(
        null=True, help_text="When its end was reached last."
    )
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "what", "book", "sync"],
                nulls_distinct=False,
                name="one_cursor_per_book",
            )
        ]

    def __str__(self) -> str:
        return f"{self.what} of {self.book or 'everything'}"
