from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import generics, serializers

from accounts.api.base import Api
from accounts.api.filters import Between, IdFilter, words
from automation.models import RuleRun

from .plans import MoveSerializer, ReadingSerializer, StepSerializer
from .transfers import TransferSerializer


class RunSerializer(serializers.ModelSerializer):
    """One occurrence of a rule: its plan, why, and the transfers it became."""

    trigger = serializers.CharField(source="trigger_kind", read_only=True)
    requested_by = serializers.CharField(
        source="requested_by.username", default=None, read_only=True, allow_null=True
    )
    approved_by = serializers.CharField(
        source="approved_by.username", default=None, read_only=True, allow_null=True
    )
    readings = serializers.SerializerMethodField()
    moves = serializers.SerializerMethodField()
    trace = serializers.SerializerMethodField()
    transfers = TransferSerializer(many=True, read_only=True)

    class Meta:
        model = RuleRun
        fields = [
            "id",
            "rule",
            "status",
            "key",
            "trigger",
            "requested_by",
            "scheduled_for",
            "created",
            "planned_at",
            "finished_at",
            "next_attempt_at",
            "attempts",
            "dry",
            "notice_until",
            "approved_at",
            "approved_by",
            "wanted_hash",
            "plan_hash",
            "outcome",
            "reason",
            "readings",
            "moves",
            "trace",
            "transfers",
        ]
        read_only_fields = fields

    @extend_schema_field(ReadingSerializer(many=True))
    def get_readings(self, run: RuleRun) -> list:
        return run.readings

    @extend_schema_field(MoveSerializer(many=True))
    def get_moves(self, run: RuleRun) -> list:
        return run.moves

    @extend_schema_field(StepSerializer(many=True))
    def get_trace(self, run: RuleRun) -> list:
        return run.trace


class RunFilter(Between):
    rule = IdFilter(field_name="rule_id")
    status = words(RuleRun.Status)


class Runs(Api):
    queryset = RuleRun.objects.all()
    serializer_class = RunSerializer
    workspace_path = "rule.workspace_id"

    def get_queryset(self):
        return with_transfers(RuleRun.objects.of(self.request.user))


def with_transfers(runs):
    """Return `runs` with what `RunSerializer` shows, in as few queries as may be."""
    people = ("requested_by", "approved_by")
    return runs.select_related("rule", *people).prefetch_related("transfers__run")


class RunList(Runs, generics.ListAPIView):
    """List runs of all rules with trace and transfers, newest first."""

    filterset_class = RunFilter


class RunDetail(Runs, generics.RetrieveAPIView):
    """Show one run: what was read, decided and moved."""
