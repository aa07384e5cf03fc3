"""What a sync changed, and what does not agree."""

from __future__ import annotations

import structlog
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.response import Response

from accounts.models import Correction, Discrepancy

from .base import OPERATOR, Api
from .fields import MoneyOut, Nothing
from .filters import CorrectionFilter, DiscrepancyFilter
from .idempotency import idempotent
from .problems import NotOpen

log = structlog.get_logger(__name__)


class CorrectionSerializer(serializers.ModelSerializer):
    """What a sync changed and why. Amounts are minor units of the account's asset."""

    class Meta:
        model = Correction
        fields = [
            "id",
            "sync",
            "account",
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

    class Meta:
        model = Discrepancy
        fields = [
            "id",
            "account",
            "sync",
            "name",
            "expected",
            "actual",
            "severity",
            "status",
            "created",
            "last_seen_at",
        ]
        read_only_fields = fields


class CorrectionList(Api, generics.ListAPIView):
    """List what syncs changed, newest first."""

    queryset = Correction.objects.all()
    serializer_class = CorrectionSerializer
    filterset_class = CorrectionFilter

    def get_queryset(self):
        return Correction.objects.filter(
            account__workspace__memberships__user=self.request.user
        )


class Discrepancies(Api):
    queryset = Discrepancy.objects.all()
    serializer_class = DiscrepancySerializer
    workspace_path = "account.workspace_id"

    def get_queryset(self):
        return Discrepancy.objects.filter(
            account__workspace__memberships__user=self.request.user
        ).select_related("account")


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
        still_open = Discrepancy.objects.filter(
            pk=found.pk, status=Discrepancy.Status.OPEN
        )
        if still_open.update(status=self.status) != 1:
            raise NotOpen
        log.info(
            "discrepancy_decided",
            discrepancy=str(found.pk),
            status=self.status,
            user=request.user.pk,
        )
        found.status = self.status
        return Response(self.get_serializer(found).data)


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
