"""Which providers there are, and what each can do."""

from __future__ import annotations

from typing import Any

from django.db.models import Max
from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

import providers
from accounts.models import Connection
from providers import base
from providers.streaming import Streams
from providers.trading import ReportsTrading

from .base import Api
from .breakers import BreakerSerializer, SourceSerializer, breaker_of, sources_of

CAPABILITIES = {
    "moves_money": base.MovesMoney,
    "lists_movements": base.ListsMovements,
    "authorizes": base.Authorizes,
    "takes_typed_balances": base.TakesTypedBalances,
    "sends_webhooks": base.SendsWebhooks,
    "quotes_rates": base.QuotesRates,
    "describes_key": base.DescribesKey,
    "reports_trading": ReportsTrading,
    "streams": Streams,
}


class CredentialFieldSerializer(serializers.Serializer):
    """One thing a person types in to connect."""

    name = serializers.CharField()
    label = serializers.CharField()
    secret = serializers.BooleanField()
    required = serializers.BooleanField()
    help = serializers.CharField()


class ProviderSerializer(serializers.Serializer):
    """What a provider can do, and how it is for the caller's connections."""

    slug = serializers.CharField()
    name = serializers.CharField()
    capabilities = serializers.ListField(
        child=serializers.ChoiceField(list(CAPABILITIES))
    )
    credential_fields = CredentialFieldSerializer(many=True)
    breaker = BreakerSerializer()
    sources = SourceSerializer(many=True)
    last_success_at = serializers.DateTimeField(allow_null=True)


def describe(slug: str, last_success_at) -> dict[str, Any]:
    """Return what `ProviderSerializer` shows of one provider."""
    adapter = providers.load(slug)
    return {
        "slug": slug,
        "name": adapter.name,
        "capabilities": [
            word for word, port in CAPABILITIES.items() if issubclass(adapter, port)
        ],
        "credential_fields": [
            {
                "name": field.name,
                "label": field.label,
                "secret": field.secret,
                "required": field.required,
                "help": field.help,
            }
            for field in adapter.fields
        ],
        "breaker": breaker_of(slug),
        "sources": sources_of(slug, now()),
        "last_success_at": last_success_at,
    }


class ProviderList(Api):
    queryset = Connection.objects.none()

    @extend_schema(
        operation_id="providers_list", responses=ProviderSerializer(many=True)
    )
    def get(self, request):
        """List providers: what each can do, and what it needs to connect."""
        seen = dict(
            Connection.objects.of(request.user)
            .order_by()
            .values_list("provider")
            .annotate(Max("last_success_at"))
        )
        rows = [describe(slug, seen.get(slug)) for slug in providers.slugs()]
        shown = ProviderSerializer(rows, many=True).data
        return Response({"next": None, "previous": None, "results": shown})
