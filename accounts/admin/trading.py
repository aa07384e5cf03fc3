"""Orders, trades and positions, to be read: balsync itself never trades."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import Correction, Order, Position, Trade

from . import show
from .base import HistoryAdmin, Panel
from .panels import NEWEST
from .sync import corrections_panel
from .traded import figure

MOST_OFFERED = 200  # markets in a filter


class OwnValues(admin.SimpleListFilter):
    """Offers the values of the rows that one may see, and no others."""

    def lookups(self, request, model_admin):
        rows = model_admin.get_queryset(request).order_by(self.parameter_name)
        found = rows.values_list(self.parameter_name, flat=True).distinct()
        return [(value, value) for value in found[:MOST_OFFERED]]

    def queryset(self, request, queryset):
        value = self.value()
        return queryset.filter(**{self.parameter_name: value}) if value else queryset


class MarketFilter(OwnValues):
    title = parameter_name = "market"


class SegmentFilter(OwnValues):
    title = parameter_name = "segment"


PLACES = (
    SegmentFilter,
    MarketFilter,
    ("connection", admin.RelatedOnlyFieldListFilter),
)


class TradedAdmin(HistoryAdmin):
    """What a connection has in markets."""

    workspace = "connection__workspace"
    list_display_links = ["moment"]
    list_select_related = ["connection"]
    search_fields = ["market", "external_id", "connection__label"]
    date_hierarchy = "created"

    @admin.display(description="When", ordering="created")
    def moment(self, row) -> str:
        return show.exact(row.created)

    @admin.display(description="Connection")
    def connection_link(self, row) -> SafeString:
        return show.link(row.connection)

    @admin.display(description="Market", ordering="market")
    def where(self, row) -> str:
        return row.market if row.segment == "spot" else f"{row.market} ({row.segment})"

    @admin.display(description="Quantity", ordering="quantity")
    def amount(self, row) -> SafeString:
        return figure(row.quantity, row.base)

    def panels(self, request, row) -> Iterable[Panel]:
        about = Correction.objects.filter(subject_id=row.pk)
        yield corrections_panel(about.select_related("account")[:NEWEST])


@admin.register(Order)
class OrderAdmin(TradedAdmin):
    """Orders as the providers told of them last."""

    list_display = [
        "moment",
        "where",
        "side",
        "kind",
        "amount",
        "filled_amount",
        "limit",
        "state",
        "connection",
    ]
    list_filter = ["status", "side", *PLACES]
    fieldsets = [
        (None, {"fields": [("where", "connection_link"), ("side", "kind"), "state"]}),
        (
            "Figures",
            {"fields": [("amount", "filled_amount"), ("limit", "cost_amount")]},
        ),
        ("When", {"fields": [("created", "updated", "seen_at", "absent_at")]}),
        ("Traces", {"fields": ["external_id", "client_id", "doubt"]}),
    ]

    @admin.display(description="Filled", ordering="filled")
    def filled_amount(self, row: Order) -> SafeString:
        return figure(row.filled, row.base)

    @admin.display(description="Limit", ordering="price")
    def limit(self, row: Order) -> SafeString:
        return figure(row.price, row.quote)

    @admin.display(description="Paid or received")
    def cost_amount(self, row: Order) -> SafeString:
        return figure(row.cost, row.quote)

    @admin.display(description="Status", ordering="status")
    def state(self, row: Order) -> SafeString:
        if row.doubt:
            return show.label(f"{show.words(row.status)} · unsure", "warn", row.doubt)
        return show.status(row.status)

    def notices(self, request, row: Order) -> Iterable[str]:
        if row.doubt:
            yield f"It is not known how it is now. {row.doubt}"
        if row.status == Order.Status.ABSENT:
            yield "The provider says that there is no such order."


@admin.register(Trade)
class TradeAdmin(TradedAdmin):
    """Fills, as the providers told of them; they never change."""

    list_display = [
        "moment",
        "where",
        "side",
        "amount",
        "price_amount",
        "cost_amount",
        "fee_amount",
        "earned",
        "connection",
    ]
    list_filter = ["side", *PLACES]
    list_select_related = ["connection", "gain"]
    fieldsets = [
        (None, {"fields": [("where", "connection_link"), ("side", "maker")]}),
        (
            "Figures",
            {
                "fields": [
                    ("amount", "price_amount"),
                    ("cost_amount", "fee_amount"),
                    "earned",
                ]
            },
        ),
        ("Traces", {"fields": ["created", "external_id", "order_id"]}),
    ]

    @admin.display(description="Price", ordering="price")
    def price_amount(self, row: Trade) -> SafeString:
        return figure(row.price, row.quote)

    @admin.display(description="Cost", ordering="cost")
    def cost_amount(self, row: Trade) -> SafeString:
        return figure(row.cost, row.quote)

    @admin.display(description="Fee")
    def fee_amount(self, row: Trade) -> SafeString:
        return figure(row.fee, row.fee_asset)

    @admin.display(description="Realised P&L")
    def earned(self, row: Trade) -> SafeString:
        amount, asset, source = row.realised
        if source is None:
            return show.NOTHING
        return format_html(
            '<span title="{}">{}</span>', show.words(source), figure(amount, asset)
        )


@admin.register(Position)
class PositionAdmin(TradedAdmin):
    """What is held in contracts or on margin, and what was worked out from trades."""

    list_display = [
        "moment",
        "where",
        "side",
        "amount",
        "entry",
        "mark",
        "unrealised",
        "state",
        "connection",
    ]
    list_filter = ["side", "derived", *PLACES]
    fieldsets = [
        (None, {"fields": [("where", "connection_link"), ("side", "state")]}),
        (
            "Figures",
            {
                "fields": [
                    ("amount", "entry"),
                    ("mark", "liquidation"),
                    "unrealised",
                ]
            },
        ),
        ("When", {"fields": [("created", "updated", "seen_at", "closed_at")]}),
        ("Traces", {"fields": ["external_id", "derived", "doubt"]}),
    ]

    @admin.display(description="Entry price")
    def entry(self, row: Position) -> SafeString:
        return figure(row.entry_price, row.quote)

    @admin.display(description="Mark price")
    def mark(self, row: Position) -> SafeString:
        return figure(row.mark_price, row.quote)

    @admin.display(description="Liquidation price")
    def liquidation(self, row: Position) -> SafeString:
        return figure(row.liquidation_price, row.quote)

    @admin.display(description="Unrealised P&L")
    def unrealised(self, row: Position) -> SafeString:
        return figure(row.pnl, row.pnl_asset)

    @admin.display(description="State")
    def state(self, row: Position) -> SafeString:
        if row.closed_at:
            return show.label("closed", "", show.exact(row.closed_at))
        if row.doubt:
            return show.label("open · unsure", "warn", row.doubt)
        if row.derived:
            return show.label("derived", "info", "Worked out from trades")
        return show.label("open", "ok")

    def notices(self, request, row: Position) -> Iterable[str]:
        if row.doubt:
            yield f"It is not known how it is now. {row.doubt}"
        if row.derived:
            yield "Worked out from trades: the provider tells of no such position."
