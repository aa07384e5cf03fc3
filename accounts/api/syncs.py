from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
)
from rest_framework import generics, serializers
from rest_framework.renderers import JSONRenderer

from accounts import services
from accounts.downloads import download_report
from accounts.models import SyncRun
from accounts.trading.files import COLUMNS, FORMS
from accounts.trading.progress import STAGES, Progress

from .base import Api
from .drift import CorrectionSerializer
from .filters import SyncRunFilter
from .history import FileAccepted


class TradingSerializer(serializers.Serializer):
    """How far the reading of orders, trades and positions has come."""

    stage = serializers.ChoiceField(STAGES)
    percent = serializers.IntegerField()
    books = serializers.IntegerField(help_text="Histories to be read.")
    books_read = serializers.IntegerField()
    pages = serializers.IntegerField()
    orders = serializers.IntegerField(help_text="Told, in all answers together.")
    trades = serializers.IntegerField()
    positions = serializers.IntegerField()
    looked_up = serializers.IntegerField(help_text="Orders that were missing.")
    new = serializers.IntegerField()
    corrections = serializers.IntegerField()
    problems = serializers.ListField(child=serializers.CharField())
    waits_until = serializers.DateTimeField(
        allow_null=True, help_text="The provider asked to be left alone until then."
    )


class SyncRunSerializer(serializers.ModelSerializer):
    """One fetch → validate → reconcile → record of one connection."""

    duration_seconds = serializers.SerializerMethodField()
    trading = serializers.SerializerMethodField(
        help_text="How far orders, trades and positions were read; null: not at all."
    )

    class Meta:
        model = SyncRun
        fields = [
            "id",
            "connection",
            "kind",
            "status",
            "created",
            "started",
            "finished",
            "duration_seconds",
            "requests",
            "error_code",
            "error",
            "results",
            "trading",
        ]
        read_only_fields = fields

    @extend_schema_field(TradingSerializer(allow_null=True))
    def get_trading(self, run: SyncRun) -> dict[str, Any] | None:
        if run.progress is None:
            return None
        return services.progress_told(Progress.read(run.progress))

    def get_duration_seconds(self, run: SyncRun) -> float | None:
        if run.started is None or run.finished is None:
            return None
        return round((run.finished - run.started).total_seconds(), 3)


class SyncRunDetailSerializer(SyncRunSerializer):
    corrections = CorrectionSerializer(many=True, read_only=True)

    class Meta(SyncRunSerializer.Meta):
        fields = [*SyncRunSerializer.Meta.fields, "corrections"]
        read_only_fields = fields


class SyncRunList(Api, generics.ListAPIView):
    """List syncs, newest first."""

    queryset = SyncRun.objects.all()
    serializer_class = SyncRunSerializer
    filterset_class = SyncRunFilter

    def get_queryset(self):
        return SyncRun.objects.of(self.request.user)


class SyncRunDetail(Api, generics.RetrieveAPIView):
    """Show one sync with its results per account and its corrections."""

    queryset = SyncRun.objects.all()
    serializer_class = SyncRunDetailSerializer
    workspace_path = "connection.workspace_id"

    def get_queryset(self):
        return (
            SyncRun.objects.of(self.request.user)
            .select_related("connection")
            .prefetch_related("corrections")
        )


class ReportLineSerializer(serializers.Serializer):
    """One correction, or one thing that was not believed."""

    def get_fields(self) -> dict[str, serializers.Field]:
        return {name: serializers.CharField() for name in COLUMNS}


class ReportSerializer(serializers.Serializer):
    """All that a sync found and changed."""

    sync, connection = serializers.UUIDField(), serializers.UUIDField()
    kind, status = serializers.CharField(), serializers.CharField()
    started = serializers.DateTimeField(allow_null=True)
    finished = serializers.DateTimeField(allow_null=True)
    requests = serializers.IntegerField()
    error_code, error = serializers.CharField(), serializers.CharField()
    accounts = serializers.JSONField()
    trading = TradingSerializer(allow_null=True)
    lines = ReportLineSerializer(many=True)


class Report(Api):
    """What a sync changed as a download, line by line."""

    serializer_class = SyncRunSerializer
    renderer_classes = [FileAccepted, JSONRenderer]
    pagination_class = None
    workspace_path = "connection.workspace_id"

    def get_queryset(self):
        return SyncRun.objects.of(self.request.user).select_related("connection")


class ReportCsv(Report):
    @extend_schema(
        operation_id="sync_runs_report_csv",
        responses={
            (200, FORMS["csv"]): OpenApiResponse(OpenApiTypes.STR, "A row for each.")
        },
    )
    def get(self, request, pk) -> StreamingHttpResponse:
        """Download what a sync changed, and what it did not believe, as CSV."""
        return download_report(self.get_object(), "csv")


class ReportJson(Report):
    @extend_schema(
        operation_id="sync_runs_report_json",
        responses={(200, FORMS["json"]): ReportSerializer},
    )
    def get(self, request, pk) -> StreamingHttpResponse:
        """Download what a sync changed, and what it did not believe, as JSON."""
        return download_report(self.get_object(), "json")
