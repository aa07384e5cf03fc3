"""What a sync changed, and what does not agree."""

from __future__ import annotations

import structlog
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.response import Response

from accounts import services
from accounts.models import Correction, Discrepancy
from accounts.validator import WORDS
from accounts.visibility import seen_by

from .base import OPERATOR, Api
from .fields import MoneyOut, Nothing
from .filters import CorrectionFilter, DiscrepancyFilter
from .idempotency import idempotent
from .problems import NotOpen

log = structlog.get_logger(__name__)


class CorrectionSerializer(serializers.ModelSerializer):
    """What a sync changed and why.

    Amounts of accounts are minor units of the account's asset; figures of orders, trades
    and positions are whole units.
    """

    class Meta:
        model = Correction
        fields = [
            "id",
            "sync",
            "account",
            "subject_kind",
            "subject_id",
            "subject",
            "field",
            "old",
            "new",
            "difference",
            "severity",
            "reason",
            "created",
        ]
        read_only_fields = fields


class DiscrepancySerializer(serializers.ModelSerializer):
    """Two figures that should agree and do not."""

    expected = MoneyOut(asset="account.asset")
    actual = MoneyOut(asset="account.asset")
    grade = serializers.SerializerMethodField(
        help_text="How grave the difference is: low, medium, high or critical."
    )
    decided_by = serializers.CharField(
        source="decided_by.username",
        default=None,
        read_only=True,
        allow_null=True,
        help_text="Who accepted or ignored it.",
    )

    class Meta:
        model = Discrepancy
        fields = [
            "id",
            "account",
            "sync",
            "name",
            "subject",
            "expected",
            "actual",
            "severity",
            "grade",
            "status",
            "created",
            "last_seen_at",
            "protected_at",
            "decided_by",
            "decided_at",
        ]
        read_only_fields = fields

    def get_grade(self, row: Discrepancy) -> str:
        return WORDS[row.severity]


class CorrectionList(Api, generics.ListAPIView):
    """List what syncs changed, newest first."""

    queryset = Correction.objects.all()
    serializer_class = CorrectionSerializer
    filterset_class = CorrectionFilter

    def get_queryset(self):
        return Correction.objects.filter(
            seen_by(self.request.user, "sync__connection__workspace")
        )


class Discrepancies(Api):
    queryset = Discrepancy.objects.all()
    serializer_class = DiscrepancySerializer
    workspace_path = "account.workspace_id"

    def get_queryset(self):
        rows = Discrepancy.objects.of(self.request.user)
        return rows.select_related("account", "decided_by")


class DiscrepancyList(Discrepancies, generics.ListAPIView):
    """List figures that did not agree, newest first."""

    filterset_class = DiscrepancyFilter


class Decision(Discrepancies):
    """What a person decided about a discrepancy that is open."""

    roles = {"POST": OPERATOR}
    status: Discrepancy.Status

    def decide(self, request) -> Response:
        """Close the discrepancy; raises NotOpen if somebody has decided before."""
        found = self.get_object()
        self.body(Nothing)
        one = Discrepancy.objects.filter(pk=found.pk)
        if services.decide_discrepancies(one, self.status, request.user) != 1:
            raise NotOpen
        log.info(
            "discrepancy_decided",
            discrepancy=str(found.pk),
            status=self.status,
            user=request.user.pk,
        )
        return Response(self.get_serializer(self.get_object()).data)


class Accept(Decision):
    status = Discrepancy.Status.ACCEPTED

    @extend_schema(request=Nothing, responses=DiscrepancySerializer)
    @idempotent()
    def post(self, request, pk):
        """Accept the provider's figure as the right one."""
        return self.decide(request)


class Ignore(Decision):
    status = Discrepancy.Status.IGNORED

    @extend_schema(request=Nothing, responses=DiscrepancySerializer)
    @idempotent()
    def post(self, request, pk):
        """Leave the difference as it is and stop mentioning it."""
        return self.decide(request)
