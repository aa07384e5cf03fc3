"""The instant answer: what an account holds, how old that is, and whether to trust it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from time import monotonic, sleep
from typing import Any

from django.utils.http import parse_etags, quote_etag
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

import providers
from accounts import publishing, services, tasks
from accounts.models import Account, Connection, Source, SyncRun
from providers.base import TakesTypedBalances

from .base import Api
from .fields import MoneySerializer
from .query import number

LONGEST_AGE = 366 * 86_400  # seconds
LONGEST_WAIT = 10
STATUSES = ("ok", "partial", "unknown")
LOOK_EVERY = 0.1
AFTER_SUCCESS, AFTER_FAILURE = timedelta(seconds=1), timedelta(seconds=15)
# What changes by the clock alone is no news.
VOLATILE = {"age_seconds", "updating"}


class BalanceSerializer(serializers.Serializer):
    """What an account holds. Amounts are null where nothing is known, never zero."""

    account = serializers.UUIDField()
    asset = serializers.CharField()
    total = MoneySerializer(allow_null=True)
    available = MoneySerializer(allow_null=True)
    held = MoneySerializer(allow_null=True)
    as_of = serializers.DateTimeField(allow_null=True)
    fetched_at = serializers.DateTimeField(allow_null=True)
    age_seconds = serializers.IntegerField(allow_null=True)
    source = serializers.ChoiceField(Source.choices, allow_null=True)
    status = serializers.ChoiceField(STATUSES)
    stale = serializers.BooleanField()
    updating = serializers.BooleanField()
    error = serializers.CharField(allow_null=True)


class AccountBalance(Api):
    queryset = Account.objects.all()

    def get_queryset(self):
        return Account.objects.of(self.request.user).select_related(
            "balance", "connection"
        )

    @extend_schema(
        parameters=[
            OpenApiParameter("max_age", int, description="Older is stale, in seconds."),
            OpenApiParameter(
                "wait", int, description="Wait so many seconds for a fresh reading."
            ),
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER),
        ],
        responses={
            200: BalanceSerializer,
            202: OpenApiResponse(BalanceSerializer, "Nothing is known yet."),
            304: OpenApiResponse(description="Nothing changed since that ETag."),
        },
    )
    def get(self, request, pk):
        """Return what the account holds, at once; a stale answer starts a refresh."""
        account = self.get_object()
        max_age = number(request, "max_age", most=LONGEST_AGE)
        wait = number(request, "wait", most=LONGEST_WAIT) or 0
        told = services.balance_answer(account, max_age=max_age)
        if wanting(told) and (told["updating"] or refresh(account.connection)):
            told = told | {"updating": True}
        until = monotonic() + wait
        while wanting(told) and told["updating"] and monotonic() < until:
            sleep(LOOK_EVERY)
            told = services.balance_answer(self.get_object(), max_age=max_age)
        return conditional(request, told)


def wanting(told: Mapping[str, Any]) -> bool:
    """Say whether a newer reading is wanted."""
    return told["stale"] or told["status"] == "unknown"


def refresh(connection: Connection) -> bool:
    """Start a sync, unless asking cannot help or was tried just now."""
    typed = issubclass(providers.load(connection.provider), TakesTypedBalances)
    if typed or connection.needs_person or connection.archived_at is not None:
        return False
    pause = AFTER_FAILURE if connection.failures else AFTER_SUCCESS
    if connection.last_sync_at and now() < connection.last_sync_at + pause:
        return False
    # However many ask, this is one sync: a second request finds the first.
    run = services.request_sync(connection, SyncRun.Kind.MANUAL)
    publishing.publish(tasks.run_sync, str(run.pk))
    return True


def conditional(request, told: Mapping[str, Any]) -> Response:
    """Return `told`, or 304 where the caller has it already."""
    if told["status"] == "unknown":
        return Response(told, 202, headers={"Cache-Control": "no-store"})
    tag = etag(told)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in known or tag in {
        seen if seen.startswith("W/") else f"W/{seen}" for seen in known
    }:
        return Response(status=304, headers=headers)
    return Response(told, headers=headers)


def etag(told: Mapping[str, Any]) -> str:
    """Return the weak validator (RFC 9110, 8.8) of an answer."""
    news = {name: value for name, value in told.items() if name not in VOLATILE}
    text = json.dumps(news, sort_keys=True, cls=JSONEncoder)
    return "W/" + quote_etag(hashlib.sha256(text.encode()).hexdigest()[:32])
