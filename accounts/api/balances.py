"""The instant answer: what an account holds, how old that is, and whether to trust it."""

from __future__ import annotations

from threading import BoundedSemaphore
from time import monotonic, sleep
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from accounts import publishing, services, tasks
from accounts.instant.answer import CACHE, DATABASE, Answer
from accounts.models import Account, Connection, Source, SyncRun
from accounts.services import instant
from accounts.services.instant import Glance
from providers.store import StoreAway

from .fields import MoneySerializer
from .instant import InstantApi
from .query import number

LONGEST_AGE = 366 * 86_400  # seconds
LONGEST_WAIT = 10
STATUSES = ("ok", "partial", "unknown")
PLACES = (CACHE, DATABASE)
LOOK_EVERY = 0.1
# A process has few threads: who waits must not keep all of them from instant answers.
WAITING = BoundedSemaphore(4)


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
    found_in = serializers.ChoiceField(
        PLACES, help_text="Where these figures were found."
    )


class AccountBalance(InstantApi):
    queryset = Account.objects.all()

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
        max_age = wait = None
        if request.META.get("QUERY_STRING"):
            max_age = number(request, "max_age", most=LONGEST_AGE)
            wait = number(request, "wait", most=LONGEST_WAIT)
        told = self.look.answer(max_age)
        if told.wanting:
            told = self.refreshed(told, max_age, wait or 0)
        return conditional(request, told)

    def at_once(self, request: HttpRequest) -> HttpResponse | None:
        """Return the answer to those who take any age, unless it is stale."""
        if request.META.get("QUERY_STRING"):
            return None
        told = self.look.answer()
        return None if told.wanting else conditional(request, told)

    def refreshed(self, told: Answer, max_age: int | None, wait: int) -> Answer:
        """Start a refresh that may help, and wait for it where that is asked for."""
        if not told.updating and told.may_ask and refresh(self.look):
            told = self.look.answer(max_age, updating=True)
        if not wait or not WAITING.acquire(blocking=False):
            return told
        try:
            return waited(self.look.account, told, max_age, monotonic() + wait)
        finally:
            WAITING.release()


def waited(account: UUID, told: Answer, max_age: int | None, until: float) -> Answer:
    """Return the answer that is no longer wanting, or the last before `until`."""
    while told.wanting and told.updating and monotonic() < until:
        sleep(LOOK_EVERY)
        told = instant.glance(account).answer(max_age)
    return told


def refresh(look: Glance) -> bool:
    """Let a worker sync the account's connection; however many ask, this is one sync."""
    owner = look.sheet.entry.connection
    try:
        if instant.begin_refresh(owner):
            publishing.publish(tasks.refresh, owner)
    except StoreAway:
        return refresh_by_row(UUID(owner))
    return True


def refresh_by_row(owner: UUID) -> bool:
    """Do the same without the cache: the lock of the row lets one of many ask."""
    connection = Connection.objects.get(pk=owner)
    run = services.request_sync(connection, SyncRun.Kind.MANUAL)
    publishing.publish(tasks.run_sync, str(run.pk))
    return True


def conditional(request, told: Answer) -> HttpResponse:
    """Return `told`, or 304 where the caller has it already."""
    if not told.known:
        return plain(told, 202, {"Cache-Control": "no-store"})
    headers = {"ETag": told.tag, "Cache-Control": "private, no-cache"}
    if match := request.META.get("HTTP_IF_NONE_MATCH"):
        known = parse_etags(match)
        if "*" in known or told.tag in {
            seen if seen.startswith("W/") else f"W/{seen}" for seen in known
        }:
            return HttpResponse(status=304, headers=headers)
    return plain(told, 200, headers)


def plain(told: Answer, status: int, headers: dict[str, str]) -> HttpResponse:
    # Written out already: a renderer would only read it and write it again.
    return HttpResponse(
        told.body, status=status, headers=headers, content_type="application/json"
    )
