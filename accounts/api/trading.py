"""Orders, trades and positions, as the providers told of them last."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import generics, serializers

from accounts.models import Order, Position, Trade
from accounts.trading.figures import plain

from .base import Api
from .filters import OrderFilter, PositionFilter, TradeFilter


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})
class FigureOut(serializers.Field):
    """An exact quantity or price, in whole units, as a string; null: nobody tells."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"read_only": True})

    def to_representation(self, value) -> str:
        return plain(value)


PLACE = ["id", "connection", "segment", "market", "base", "quote", "external_id"]


class OrderSerializer(serializers.ModelSerializer):
    """An order. Quantities are of `base`, cost and price of `quote`."""

    quantity, filled = FigureOut(), FigureOut()
    cost, price = FigureOut(allow_null=True), FigureOut(allow_null=True)

    class Meta:
        model = Order
        fields = [
            *PLACE,
            "client_id",
            "side",
            "kind",
            "status",
            "quantity",
            "filled",
            "cost",
            "price",
            "created",
            "updated",
            "seen_at",
            "doubt",
        ]
        read_only_fields = fields


class TradeSerializer(serializers.ModelSerializer):
    """One fill. `pnl` is realised; null where nobody can know it."""

    quantity, price, cost = FigureOut(), FigureOut(), FigureOut()
    fee = FigureOut(allow_null=True)
    pnl = serializers.SerializerMethodField(allow_null=True)
    pnl_asset = serializers.SerializerMethodField()
    pnl_source = serializers.SerializerMethodField(
        allow_null=True,
        help_text="provider: its own figure; worked_out: first in, first out.",
    )

    class Meta:
        model = Trade
        fields = [
            *PLACE,
            "order_id",
            "side",
            "quantity",
            "price",
            "cost",
            "fee",
            "fee_asset",
            "maker",
            "pnl",
            "pnl_asset",
            "pnl_source",
            "created",
        ]
        read_only_fields = fields

    @extend_schema_field(FigureOut(allow_null=True))
    def get_pnl(self, row: Trade) -> str | None:
        found = row.realised[0]
        return None if found is None else plain(found)

    def get_pnl_asset(self, row: Trade) -> str:
        return row.realised[1]

    @extend_schema_field(
        {"type": "string", "enum": ["provider", "worked_out"], "nullable": True}
    )
    def get_pnl_source(self, row: Trade) -> str | None:
        return row.realised[2]


class PositionSerializer(serializers.ModelSerializer):
    """What is held in a contract, on margin, or, `derived`, worked out from trades."""

    quantity = FigureOut()
    entry_price, mark_price = FigureOut(allow_null=True), FigureOut(allow_null=True)
    pnl = FigureOut(allow_null=True, help_text="Not realised yet.")
    liquidation_price = FigureOut(allow_null=True)

    class Meta:
        model = Position
        fields = [
            *PLACE,
            "side",
            "quantity",
            "entry_price",
            "mark_price",
            "pnl",
            "pnl_asset",
            "liquidation_price",
            "derived",
            "created",
            "updated",
            "seen_at",
            "closed_at",
            "doubt",
        ]
        read_only_fields = fields


class OrderList(Api, generics.ListAPIView):
    """List orders, newest first."""

    queryset = Order.objects.all()
    serializer_class = OrderSerializer
    filterset_class = OrderFilter

    def get_queryset(self):
        return Order.objects.of(self.request.user)


class TradeList(Api, generics.ListAPIView):
    """List trades, newest first."""

    queryset = Trade.objects.all()
    serializer_class = TradeSerializer
    filterset_class = TradeFilter

    def get_queryset(self):
        return Trade.objects.of(self.request.user).select_related("gain")


class PositionList(Api, generics.ListAPIView):
    """List positions, newest first."""

    queryset = Position.objects.all()
    serializer_class = PositionSerializer
    filterset_class = PositionFilter

    def get_queryset(self):
        return Position.objects.of(self.request.user)
