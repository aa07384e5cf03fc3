"""Past balances: a list, the one of a moment, and a new one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

import providers
from accounts import services
from accounts.history.files import AMOUNTS
from accounts.models import Account, BalanceSnapshot
from accounts.services import history
from providers.base import TakesTypedBalances
from providers.money import LARGEST, MoneyError, parse_minor

from .base import OPERATOR, Api, invalid
from .fields import Moment, MoneyIn, MoneyOut, StrictSerializer
from .idempotency import idempotent
from .problems import Archived
from .query import when
from .schema import OF_PROVIDER, problems
from .snapshot_keys import AskedForSnapshot

MATCHES = ("before", "exact", "nearest")
PERIOD = [
    OpenApiParameter("since", OpenApiTypes.DATETIME),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="Not included."),
    OpenApiParameter(
        "min_change",
        str,
        description="Only where the total lies so many minor units or more away from "
        "the last one that is kept, or from what was held when the period began.",
    ),
]
MOMENT = [
    OpenApiParameter("as_of", OpenApiTypes.DATETIME, description="One moment only."),
    OpenApiParameter("match", str, enum=MATCHES, description="Default: before."),
]


class SnapshotSerializer(serializers.ModelSerializer):
    """A past balance; it never changes."""

    total = MoneyOut(asset="account.asset")
    available = MoneyOut(asset="account.asset")
    held = MoneyOut(asset="account.asset")
    origin = serializers.CharField(
        read_only=True,
        allow_null=True,
        help_text="Of an imported one: the source that its file names.",
    )

    class Meta:
        model = BalanceSnapshot
        fields = ["id", "account", "as_of", *AMOUNTS, "source", "origin"]
        read_only_fields = fields


class SnapshotRequest(StrictSerializer):
    """What was counted, for accounts whose balance is typed in; else nothing."""

    total = MoneyIn(required=False)
    as_of = Moment(required=False)


class Snapshots(Api):
    queryset = Account.objects.all()
    serializer_class = SnapshotSerializer
    ordering = ("-as_of", "-pk")

    def get_queryset(self):
        return Account.objects.of(self.request.user).select_related("connection")

    def of_period(self, account: Account) -> QuerySet[BalanceSnapshot]:
        """Return the snapshots of the asked period; raises ValidationError."""
        return history.period(
            account,
            when(self.request, "since"),
            when(self.request, "until"),
            least=self.min_change(),
        )

    def min_change(self) -> int:
        told = self.request.query_params.get("min_change", "0")
        try:
            least = parse_minor(told)
        except MoneyError as error:
            raise invalid("min_change", str(error), "money") from error
        if not 0 <= least <= LARGEST:
            raise invalid("min_change", "0 minor units or more.", "money")
        return least


class SnapshotList(Snapshots):
    roles = {"POST": OPERATOR}
    taken: BalanceSnapshot | None = None

    @extend_schema(
        operation_id="accounts_snapshots_list",
        parameters=[*PERIOD, *MOMENT],
        responses=SnapshotSerializer(many=True),
    )
    def get(self, request, pk):
        """List past balances, newest first, or the one of a moment."""
        account = self.get_object()
        moment = when(request, "as_of")
        if moment is not None:
            return Response(self.one_page(self.at(account, moment)))
        self.refuse("match")
        rows = self.of_period(account).select_related("account")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def at(self, account: Account, moment: datetime) -> list[BalanceSnapshot]:
        match = self.request.query_params.get("match", "before")
        if match not in MATCHES:
            raise invalid("match", f"One of {', '.join(MATCHES)}.", "invalid_choice")
        self.refuse("since", "until", "min_change")
        found = history.at(account, moment, match)
        return [found] if found else []

    def refuse(self, *names: str) -> None:
        """Raise ValidationError for what would say nothing beside the others."""
        for name in names:
            if name in self.request.query_params:
                raise invalid(name, "as_of and match ask for one moment, not a period.")

    def one_page(self, rows: list[BalanceSnapshot]) -> dict:
        shown = self.get_serializer(rows, many=True).data
        return {"next": None, "previous": None, "results": shown}

    @extend_schema(request=SnapshotRequest, responses={201: SnapshotSerializer})
    @problems(*OF_PROVIDER)
    @idempotent(
        goes_out=lambda view: not is_typed(view.get_object()), asked=AskedForSnapshot
    )
    def post(self, request, pk):
        """Take a snapshot now; a typed balance is recorded as it was counted.

        What did not change leaves no second snapshot: the answer is the one that says
        so, and the balance counts as confirmed now.
        """
        account = self.get_object()
        if account.connection.archived_at is not None or account.closed_at is not None:
            raise Archived
        told = self.body(SnapshotRequest, asset=account.asset)
        if is_typed(account):
            self.taken = self.record(account, told)
        elif told:
            raise invalid(
                next(iter(told)), "The provider says what is held.", "not_typed"
            )
        else:
            key = request.headers.get("Idempotency-Key", "")
            self.taken = services.take_snapshot(account, key=key)
        return self.shown(self.taken)

    def shown(self, taken: BalanceSnapshot, **told: Any) -> Response:
        return Response(self.get_serializer(taken).data, 201, **told)

    def record(self, account: Account, told: dict) -> BalanceSnapshot:
        if "total" not in told:
            raise invalid("total", "Say what was counted.", "required")
        return services.record_typed_balance(
            account, told["total"], user=self.request.user, as_of=told.get("as_of")
        )


def is_typed(account: Account) -> bool:
    """Say whether a person types in what `account` holds."""
    return issubclass(providers.load(account.provider), TakesTypedBalances)
