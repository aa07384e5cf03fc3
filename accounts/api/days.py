"""The figures of days: what stays of the history when snapshots are given up."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from accounts.models import Account, BalanceDay

from .base import Api
from .fields import MoneyOut
from .query import when


class DaySerializer(serializers.ModelSerializer):
    """What an account held on one day in UTC, from its first to its last change."""

    first = MoneyOut(asset="account.asset")
    last = MoneyOut(asset="account.asset")
    lowest = MoneyOut(asset="account.asset")
    highest = MoneyOut(asset="account.asset")

    class Meta:
        model = BalanceDay
        fields = [
            "account",
            "day",
            "count",
            "first_at",
            "last_at",
            "first",
            "last",
            "lowest",
            "highest",
        ]
        read_only_fields = fields


class DayList(Api):
    queryset = Account.objects.all()
    serializer_class = DaySerializer
    ordering = ("-first_at",)

    def get_queryset(self):
        return Account.objects.of(self.request.user)

    @extend_schema(
        operation_id="accounts_days_list",
        parameters=[
            OpenApiParameter("since", OpenApiTypes.DATETIME),
            OpenApiParameter(
                "until", OpenApiTypes.DATETIME, description="Not included."
            ),
        ],
        responses=DaySerializer(many=True),
    )
    def get(self, request, pk):
        """List the days on which the balance changed, newest first."""
        rows = self.get_object().days.select_related("account")
        if (since := when(request, "since")) is not None:
            rows = rows.filter(last_at__gte=since)
        if (until := when(request, "until")) is not None:
            rows = rows.filter(first_at__lt=until)
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)
