"""The proof of a balance: what moved, and what nobody explains."""

from __future__ import annotations

from datetime import timedelta

from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts import services
from accounts.history.proof import Stretch
from accounts.models import Account
from accounts.moneyjson import money
from accounts.validator import WORDS

from .base import Api, invalid
from .fields import Moment, MoneySerializer
from .query import when

USUALLY = timedelta(days=30)
MOST_GAPS = 200


class StretchSerializer(serializers.Serializer):
    """closing = opening + known + unexplained, from one known balance to another."""

    since, until = Moment(), Moment()
    opening, closing = MoneySerializer(), MoneySerializer()
    known = MoneySerializer(help_text="The sum of the movements in between.")
    movements = serializers.IntegerField(help_text="How many those are.")
    unexplained = MoneySerializer()


class ProofSerializer(serializers.Serializer):
    """What a period of an account adds up to."""

    account = serializers.UUIDField()
    asset = serializers.CharField()
    all = StretchSerializer(
        allow_null=True, help_text="Null where no two balances of it are known."
    )
    grade = serializers.ChoiceField(
        list(WORDS.values()), help_text="How grave what is unexplained is."
    )
    gaps = StretchSerializer(
        many=True,
        help_text="The stretches in which something is unexplained, newest first, "
        f"at most {MOST_GAPS}.",
    )


class AccountProof(Api):
    serializer_class = ProofSerializer

    def get_queryset(self):
        return Account.objects.of(self.request.user).select_related("balance")

    @extend_schema(
        operation_id="accounts_proof",
        parameters=[
            OpenApiParameter(
                "since", OpenApiTypes.DATETIME, description="30 days before the end."
            ),
            OpenApiParameter("until", OpenApiTypes.DATETIME, description="Now."),
        ],
        responses=ProofSerializer,
    )
    def get(self, request, pk):
        """Prove a balance: opening, known movements, what is unexplained, closing.

        It begins with the last balance that is known from before `since`.
        """
        account = self.get_object()
        until = when(request, "until") or now()
        since = when(request, "since") or until - USUALLY
        if since > until:
            raise invalid("since", "It lies after the end.")
        proof = services.proof_of(account, since, until)
        gaps = proof.gaps[::-1][:MOST_GAPS]
        return Response(
            {
                "account": str(account.pk),
                "asset": account.asset,
                "all": proof.all and told(proof.all, account.asset),
                "grade": WORDS[proof.severity],
                "gaps": [told(gap, account.asset) for gap in gaps],
            }
        )


def told(stretch: Stretch, asset: str) -> dict:
    return {
        "since": stretch.since,
        "until": stretch.until,
        "opening": money(stretch.opening, asset),
        "known": money(stretch.known, asset),
        "movements": stretch.count,
        "unexplained": money(stretch.unexplained, asset),
        "closing": money(stretch.closing, asset),
    }
