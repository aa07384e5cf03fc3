"""History as figures and as files: where a balance is going, out of here and in."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from accounts.downloads import download
from accounts.history.files import FORMS, Mistake
from accounts.history.trends import Direction, Trend
from accounts.models import Account, Source
from accounts.moneyjson import money
from accounts.services import history, importing, trends

from .base import ADMIN, Api, invalid
from .fields import Moment, MoneySerializer
from .idempotency import idempotent
from .parsing import StrictJSONParser
from .problems import Archived, Problem
from .query import number
from .snapshots import PERIOD, Snapshots

LONGEST = 24 * 366 * 100  # hours
MICROSECONDS = 10**6
CSV, JSON = FORMS["csv"].media, FORMS["json"].media


class LineSerializer(serializers.Serializer):
    """One line of a file of snapshots."""

    as_of = serializers.DateTimeField()
    total, available, held = MoneySerializer(), MoneySerializer(), MoneySerializer()
    source = serializers.CharField()


class FileAccepted(JSONRenderer):
    """Lets callers ask for CSV; only problems are rendered by it, and those are JSON."""

    media_type = CSV
    format = "csv"


class SnapshotFile(Snapshots):
    """Snapshots as a download, line by line, so that no length fills the memory."""

    renderer_classes = [FileAccepted, JSONRenderer]
    pagination_class = None

    def file(self, form: str) -> StreamingHttpResponse:
        account = self.get_object()
        return download(account, history.lines(self.of_period(account)), form)


class SnapshotCsv(SnapshotFile):
    @extend_schema(
        operation_id="accounts_snapshots_csv",
        parameters=PERIOD,
        responses={(200, CSV): OpenApiResponse(OpenApiTypes.STR, "A row for each.")},
    )
    def get(self, request, pk):
        """Download past balances as CSV, newest first."""
        return self.file("csv")


class SnapshotJson(SnapshotFile):
    @extend_schema(
        operation_id="accounts_snapshots_json",
        parameters=PERIOD,
        responses={(200, JSON): LineSerializer(many=True)},
    )
    def get(self, request, pk):
        """Download past balances as JSON, newest first, one on each line."""
        return self.file("json")


class FileParser(StrictJSONParser):
    """Hands a file of at most 1 MB on as text, for its lines to be counted."""

    def parse(self, stream, media_type=None, parser_context=None) -> str:
        """Return the text; raises ParseError and TooLarge."""
        try:
            return self.read(stream).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ParseError("This is not UTF-8") from error


class CsvFileParser(FileParser):
    media_type = CSV


class ImportRefused(Problem):
    """The file was not imported: some of its lines cannot be."""

    default_code = "import_refused"


class ImportRunning(Problem):
    """Another file is being imported into this account; ask again."""

    status_code = 409
    default_code = "import_running"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})


class ImportedSerializer(serializers.Serializer):
    written = serializers.IntegerField(help_text="Snapshots that were new.")
    known = serializers.IntegerField(help_text="Lines that were known already.")


class SnapshotImport(Snapshots):
    roles = {"POST": ADMIN}
    parser_classes = [FileParser, CsvFileParser]

    @extend_schema(
        operation_id="accounts_snapshots_import",
        request={CSV: OpenApiTypes.STR, JSON: OpenApiTypes.OBJECT},
        responses=ImportedSerializer,
    )
    @idempotent()
    def post(self, request, pk):
        """Add the past balances of a file that was downloaded here or elsewhere.

        All lines or none; what is known already stays as it is. The current balance is
        never changed by a file.
        """
        account = self.get_object()
        if account.connection.archived_at is not None:
            raise Archived
        is_csv = (request.content_type or "").startswith(CSV)
        form = FORMS["csv" if is_csv else "json"]
        text = request.data if isinstance(request.data, str) else ""
        lines = form.read(io.StringIO(text), account.unit, frozenset(Source.values))
        try:
            done = importing.import_snapshots(account, lines)
        except importing.BadHistory as error:
            raise ImportRefused(errors=list(map(told, error.mistakes))) from error
        except importing.ImportRunning as error:
            raise ImportRunning from error
        return Response({"written": done.written, "known": done.known})


def told(mistake: Mistake) -> dict[str, str]:
    """Return a mistake as an error of its line."""
    return {"field": f"line.{mistake.line}", "code": "bad_line", "detail": mistake.text}


class TrendSerializer(serializers.Serializer):
    """Where a balance went; every figure weighs an amount by how long it was held."""

    account = serializers.UUIDField()
    asset = serializers.CharField()
    since, until = Moment(), Moment()
    known_seconds = serializers.IntegerField(help_text="Of the window, rounded down.")
    direction = serializers.ChoiceField([d.value for d in Direction])
    strength = serializers.CharField(
        allow_null=True, help_text="How far the line moves, as a part of the average."
    )
    r_squared = serializers.CharField(
        allow_null=True, help_text="How much the line explains; null without a change."
    )
    volatility = serializers.CharField(
        allow_null=True, help_text="Standard deviation, as a part of the average."
    )
    min, max = MoneySerializer(allow_null=True), MoneySerializer(allow_null=True)
    mean = MoneySerializer(allow_null=True, help_text="Rounded half to even.")
    first, last = MoneySerializer(allow_null=True), MoneySerializer(allow_null=True)
    change = MoneySerializer(allow_null=True)
    percent_change = serializers.CharField(allow_null=True, help_text="Null from zero.")
    count = serializers.IntegerField(help_text="Snapshots within the window.")
    days_until = Moment(
        allow_null=True,
        help_text="Up to here read from the figures of days, which are as exact but at "
        "the ends of the window; null: from snapshots alone.",
    )


class AccountTrend(Api):
    serializer_class = TrendSerializer

    def get_queryset(self):
        return Account.objects.of(self.request.user).select_related("balance")

    @extend_schema(
        operation_id="accounts_trend",
        parameters=[
            OpenApiParameter("hours", int, description="Up to now; 24 if not told.")
        ],
        responses=TrendSerializer,
    )
    def get(self, request, pk):
        """Say where a balance is going, and how much it swings."""
        account = self.get_object()
        hours = number(request, "hours", most=LONGEST)
        if hours == 0:
            raise invalid("hours", "1 hour or more.")
        until = now()
        since = until - timedelta(hours=hours or 24)
        seen = trends.trend_of(account, since, until)
        return Response(
            {
                "account": str(account.pk),
                "asset": account.asset,
                "since": since,
                "until": until,
                **figures(seen.trend, account.asset),
                "count": seen.count,
                "days_until": seen.days_until,
            }
        )


def figures(found: Trend, asset: str) -> dict[str, Any]:
    """Return a trend in JSON: amounts as money, ratios as texts, null where unknown."""

    def amount(minor: int | None) -> dict[str, str] | None:
        return None if minor is None else money(minor, asset)

    def ratio(value) -> str | None:
        return None if value is None else f"{value:f}"

    return {
        "known_seconds": found.known // MICROSECONDS,
        "direction": found.direction.value,
        "strength": ratio(found.strength),
        "r_squared": ratio(found.r_squared),
        "volatility": ratio(found.volatility),
        "min": amount(found.least),
        "max": amount(found.most),
        "mean": amount(found.mean),
        "first": amount(found.first),
        "last": amount(found.last),
        "change": amount(found.change),
        "percent_change": ratio(found.percent_change),
    }
