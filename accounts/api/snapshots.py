"""Past balances: a list, the one of a moment, a file, and a new one."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Abs
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

import providers
from accounts import services
from accounts.fields import MinorUnits
from accounts.models import Account, BalanceSnapshot
from accounts.moneyjson import money
from providers.base import TakesTypedBalances
from providers.money import LARGEST, MoneyError, parse_minor

from .base import OPERATOR, Api, invalid
from .fields import Moment, MoneyIn, MoneyOut, StrictSerializer
from .idempotency import idempotent
from .problems import Archived
from .query import when

MATCHES = ("before", "exact", "nearest")
COLUMNS = (
    "as_of",
    "asset",
    "total_minor",
    "total",
    "available_minor",
    "available",
    "held_minor",
    "held",
    "source",
)
AT_ONCE = 1_000
PERIOD = [
    OpenApiParameter("since", OpenApiTypes.DATETIME),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="Not included."),
    OpenApiParameter(
        "min_change",
        str,
        description="Only where the total moved by so many minor units or more.",
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

    class Meta:
        model = BalanceSnapshot
        fields = ["id", "account", "as_of", "total", "available", "held", "source"]
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
        found = account.snapshots.select_related("account")
        if (since := when(self.request, "since")) is not None:
            found = found.filter(as_of__gte=since)
        if (until := when(self.request, "until")) is not None:
            found = found.filter(as_of__lt=until)
        least = self.min_change()
        return changed_by(found, least) if least else found

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
        page = self.paginate_queryset(self.of_period(account))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def at(self, account: Account, moment: datetime) -> list[BalanceSnapshot]:
        match = self.request.query_params.get("match", "before")
        if match not in MATCHES:
            raise invalid("match", f"One of {', '.join(MATCHES)}.", "invalid_choice")
        rows = account.snapshots.select_related("account")
        return [found] if (found := pick(rows, moment, match)) else []

    def one_page(self, rows: list[BalanceSnapshot]) -> dict:
        shown = self.get_serializer(rows, many=True).data
        return {"next": None, "previous": None, "results": shown}

    @extend_schema(request=SnapshotRequest, responses={201: SnapshotSerializer})
    @idempotent(goes_out=lambda view: not is_typed(view.get_object()))
    def post(self, request, pk):
        """Take a snapshot now; a typed balance is recorded as it was counted."""
        account = self.get_object()
        if account.connection.archived_at is not None or account.closed_at is not None:
            raise Archived
        told = self.body(SnapshotRequest, asset=account.asset)
        if is_typed(account):
            taken = self.record(account, told)
        elif told:
            raise invalid(
                next(iter(told)), "The provider says what is held.", "not_typed"
            )
        else:
            taken = services.take_snapshot(account)
        return Response(self.get_serializer(taken).data, 201)

    def record(self, account: Account, told: dict) -> BalanceSnapshot:
        if "total" not in told:
            raise invalid("total", "Say what was counted.", "required")
        return services.record_typed_balance(
            account, told["total"], user=self.request.user, as_of=told.get("as_of")
        )


class CsvAccepted(JSONRenderer):
    """Lets callers ask for CSV; only problems are rendered by it, and those are JSON."""

    media_type = "text/csv"
    format = "csv"


class SnapshotFile(Snapshots):
    renderer_classes = [CsvAccepted, JSONRenderer]

    @extend_schema(
        operation_id="accounts_snapshots_csv",
        parameters=PERIOD,
        responses={
            (200, "text/csv"): OpenApiResponse(
                OpenApiTypes.STR, "One row per snapshot."
            )
        },
    )
    def get(self, request, pk):
        """Download past balances as CSV, newest first."""
        account = self.get_object()
        rows = self.of_period(account).order_by(*self.ordering)
        return StreamingHttpResponse(
            lines(rows.iterator(AT_ONCE), account.asset),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{account.pk}.csv"'},
        )


def is_typed(account: Account) -> bool:
    """Say whether a person types in what `account` holds."""
    return issubclass(providers.load(account.provider), TakesTypedBalances)


def changed_by(
    rows: QuerySet[BalanceSnapshot], least: int
) -> QuerySet[BalanceSnapshot]:
    """Keep snapshots whose total is `least` away from the one before, and the first."""
    before = BalanceSnapshot.objects.filter(
        account=OuterRef("account"), as_of__lt=OuterRef("as_of")
    ).order_by("-as_of")
    change = Abs(F("total") - F("before"), output_field=MinorUnits())
    return (
        rows.annotate(
            before=Subquery(before.values("total")[:1], output_field=MinorUnits())
        )
        .annotate(change=change)
        .filter(Q(before=None) | Q(change__gte=least))
    )


def pick(
    rows: QuerySet[BalanceSnapshot], moment: datetime, match: str
) -> BalanceSnapshot | None:
    """Return the snapshot of `moment`: at it, the last until it, or the nearest to it."""
    if match == "exact":
        return rows.filter(as_of=moment).first()
    before = rows.filter(as_of__lte=moment).order_by("-as_of").first()
    if match == "before":
        return before
    after = rows.filter(as_of__gte=moment).order_by("as_of").first()
    if before is None or after is None:
        return before or after
    return before if moment - before.as_of <= after.as_of - moment else after


class Echo:
    """A file that hands each line straight on."""

    def write(self, line: str) -> str:
        return line


def lines(rows: Iterator[BalanceSnapshot], asset: str) -> Iterator[str]:
    """Yield the CSV of `rows`, one line at a time."""
    writer = csv.writer(Echo(), lineterminator="\r\n")
    yield writer.writerow(COLUMNS)
    for row in rows:
        amounts = [money(n, asset) for n in (row.total, row.available, row.held)]
        cells = [cell for m in amounts for cell in (m["minor"], m["amount"])]
        yield writer.writerow([row.as_of.isoformat(), asset, *cells, row.source])
