"""What one asset is worth in another, as people and tickers say it."""

from __future__ import annotations

import re
from typing import Any

from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.response import Response

from accounts import services
from accounts.models import ExchangeRate
from accounts.portfolio.rates import RateError

from .base import ADMIN, Api
from .fields import Id, Moment, Plain, StrictSerializer, Text, Whole
from .filters import RateFilter
from .idempotency import idempotent
from .problems import Problem

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,19}", re.ASCII)
LONGEST = 24 * 366 * 100  # hours


class RateRefused(Problem):
    """This rate cannot be kept."""

    default_code = "rate_invalid"


class Code(Text):
    """The code of an asset, such as GBP."""

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        if not CODE.fullmatch(code):
            raise serializers.ValidationError("The code of an asset, such as GBP.")
        return code


class RateSerializer(serializers.ModelSerializer):
    """One whole unit of `base` is worth `value` whole units of `quote`."""

    value = serializers.CharField(source="plain_value", read_only=True)
    stale = serializers.SerializerMethodField()

    class Meta:
        model = ExchangeRate
        fields = [
            "id",
            "workspace",
            "base",
            "quote",
            "value",
            "as_of",
            "source",
            "good_for_hours",
            "stale",
        ]
        read_only_fields = fields

    def get_stale(self, row: ExchangeRate) -> bool:
        return row.rate.is_stale(now())


class RateCreate(StrictSerializer):
    workspace = Id(required=False, help_text="Needed with several workspaces.")
    base, quote = Code(max_length=20), Code(max_length=20)
    value = Plain(digits=12, decimals=18, above_zero=True)
    as_of = Moment(required=False, help_text="When it was true; now if not told.")
    good_for_hours = Whole(
        least=1,
        most=LONGEST,
        required=False,
        allow_null=True,
        help_text="Older is stale; null: never. A week if not told.",
    )


class RateList(Api, generics.ListAPIView):
    """List what is kept of rates, newest first."""

    queryset = ExchangeRate.objects.all()
    serializer_class = RateSerializer
    filterset_class = RateFilter
    roles = {"POST": ADMIN}

    def get_queryset(self):
        return ExchangeRate.objects.of(self.request.user)

    @extend_schema(request=RateCreate, responses={201: RateSerializer})
    @idempotent()
    def post(self, request):
        """Say what one asset is worth in another, in place of what was said before.

        Refused where the other rates say it already in another way.
        """
        told = self.body(RateCreate)
        workspace = self.workspace(told.pop("workspace", None))
        try:
            kept = services.keep_rate(workspace, **told)
        except RateError as error:
            raise refused(error) from error
        return Response(self.get_serializer(kept).data, 201)


def refused(error: RateError) -> Problem:
    """Return what the caller is told about a rate that cannot be kept."""
    told = RateRefused(str(error))
    told.detail.code = error.code
    return told
