"""Readings that are not believed, and what decides that."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.response import Response

from accounts import services
from accounts.models import (
    CheckSetting,
    DriftSetting,
    Membership,
    QuarantinedReading,
    Severity,
)
from accounts.validator import RULES

from .base import OPERATOR, Api
from .fields import MoneyOut, StrictSerializer, Text
from .filters import QuarantineFilter
from .idempotency import idempotent
from .problems import Problem


class QuarantinedSerializer(serializers.ModelSerializer):
    """A reading that a rule does not believe. It was never served as a balance."""

    total = MoneyOut(asset="account.asset", allow_null=True)
    available = MoneyOut(asset="account.asset", allow_null=True)
    held = MoneyOut(asset="account.asset", allow_null=True)
    decided_by = serializers.CharField(
        source="decided_by.username",
        default=None,
        read_only=True,
        allow_null=True,
        help_text="Who accepted it; null where a good reading released it.",
    )

    class Meta:
        model = QuarantinedReading
        fields = [
            "id",
            "connection",
            "account",
            "sync",
            "rule",
            "severity",
            "text",
            "total",
            "available",
            "held",
            "as_of",
            "fetched_at",
            "source",
            "raw",
            "seen",
            "created",
            "last_seen_at",
            "status",
            "decided_by",
            "decided_at",
            "reason",
        ]
        read_only_fields = fields


class Quarantine(Api):
    queryset = QuarantinedReading.objects.all()
    serializer_class = QuarantinedSerializer
    workspace_path = "connection.workspace_id"

    def get_queryset(self):
        rows = QuarantinedReading.objects.of(self.request.user)
        return rows.select_related("account", "connection", "decided_by").defer(
            "connection__credentials"
        )


class QuarantineList(Quarantine, generics.ListAPIView):
    """List readings that were not believed, newest first."""

    filterset_class = QuarantineFilter


class CannotAcceptReading(Problem):
    """This reading cannot be accepted."""

    status_code = 409
    default_code = "cannot_accept"


class WhySerializer(StrictSerializer):
    """Why a person believes what a rule does not."""

    reason = Text(max_length=150)


class QuarantineAccept(Quarantine):
    roles = {"POST": OPERATOR}

    @extend_schema(request=WhySerializer, responses=QuarantinedSerializer)
    @idempotent()
    def post(self, request, pk):
        """Make a quarantined reading the balance of its account."""
        row = self.get_object()
        reason = self.body(WhySerializer)["reason"]
        try:
            services.accept_reading(row, user=request.user, reason=reason)
        except services.CannotAccept as error:
            raise CannotAcceptReading(str(error)) from error
        return Response(self.get_serializer(self.get_object()).data)


class CheckRuleSerializer(serializers.Serializer):
    """One rule, as it is where nothing is set."""

    name = serializers.CharField()
    label = serializers.CharField()
    severity = serializers.CharField()
    threshold = serializers.CharField()
    fiat_threshold = serializers.CharField(
        allow_null=True, help_text="For money of states, where that differs."
    )
    unit = serializers.CharField(help_text="What the threshold counts.")
    off_for = serializers.ListField(
        child=serializers.CharField(),
        help_text="Kinds of accounts for which it must be switched on.",
    )

    class Meta:
        ref_name = "CheckRule"


@extend_schema_field({"type": "string", "nullable": True})
class Plain(serializers.ReadOnlyField):
    """An exact number as a string."""

    def to_representation(self, value) -> str:
        return f"{value:f}"


class CheckSettingSerializer(serializers.ModelSerializer):
    threshold = Plain()
    severity = serializers.ChoiceField(
        Severity.choices,
        allow_blank=True,
        read_only=True,
        help_text="Empty: as the rule has it.",
    )

    class Meta:
        model = CheckSetting
        fields = ["id", "rule", "kind", "asset", "enabled", "severity", "threshold"]
        read_only_fields = fields


class DriftSettingSerializer(serializers.ModelSerializer):
    least, percent, high, critical = Plain(), Plain(), Plain(), Plain()

    class Meta:
        model = DriftSetting
        fields = [
            "id",
            "account",
            "asset",
            "least",
            "percent",
            "high",
            "critical",
            "changes",
            "correction",
            "protect",
            "clean_syncs",
        ]
        read_only_fields = fields


class ChecksSerializer(serializers.ModelSerializer):
    """What is checked in one workspace."""

    workspace = serializers.UUIDField(source="workspace_id", read_only=True)
    rules = serializers.SerializerMethodField()
    settings = CheckSettingSerializer(
        source="workspace.check_settings", many=True, read_only=True
    )
    drift = DriftSettingSerializer(
        source="workspace.drift_settings", many=True, read_only=True
    )

    class Meta:
        model = Membership
        fields = ["workspace", "rules", "settings", "drift"]
        read_only_fields = fields
        ref_name = "Checks"

    @extend_schema_field(CheckRuleSerializer(many=True))
    def get_rules(self, row) -> list[dict]:
        return [
            {
                "name": rule.name,
                "label": rule.label,
                "severity": rule.severity,
                "threshold": f"{rule.threshold:f}",
                "fiat_threshold": None if rule.fiat is None else f"{rule.fiat:f}",
                "unit": rule.unit,
                "off_for": sorted(rule.unless),
            }
            for rule in RULES.values()
            if rule.adjustable
        ]


class CheckList(Api, generics.ListAPIView):
    """List what is checked in each workspace of the caller."""

    queryset = Membership.objects.all()
    serializer_class = ChecksSerializer
    ordering = ("-workspace__created", "-pk")

    def get_queryset(self):
        rows = Membership.objects.of(self.request.user).select_related("workspace")
        return rows.prefetch_related(
            "workspace__check_settings", "workspace__drift_settings"
        )
