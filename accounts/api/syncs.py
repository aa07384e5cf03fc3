from __future__ import annotations

from rest_framework import generics, serializers

from accounts.models import SyncRun

from .base import Api
from .drift import CorrectionSerializer
from .filters import SyncRunFilter


class SyncRunSerializer(serializers.ModelSerializer):
    """One fetch → validate → reconcile → record of one connection."""

    duration_seconds = serializers.SerializerMethodField()

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
        ]
        read_only_fields = fields

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
