from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.response import Response

import providers
from accounts import publishing, services, tasks
from accounts.models import Connection, SyncRun

from .base import ADMIN, OPERATOR, Api
from .breakers import BreakerSerializer, breaker_of
from .fields import (
    Choice,
    Credentials,
    Id,
    Moment,
    Nothing,
    StrictSerializer,
    Text,
    Whole,
)
from .filters import ConnectionFilter
from .idempotency import idempotent
from .problems import Archived
from .schema import OF_PROVIDER, problems
from .syncs import SyncRunSerializer

SYNC_KINDS = (SyncRun.Kind.MANUAL.value, SyncRun.Kind.EMERGENCY.value)
PACE = {"least": Connection.SHORTEST, "most": Connection.LONGEST}


class ConnectionSerializer(serializers.ModelSerializer):
    """One consent or set of credentials, and how it is. Secrets are never shown."""

    breaker = serializers.SerializerMethodField()
    needs_person = serializers.BooleanField(read_only=True)
    consent_days_left = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="Below 0 once it has ended."
    )
    is_silent = serializers.BooleanField(
        read_only=True, help_text="No sync was good for hours."
    )
    listening = serializers.SerializerMethodField(
        help_text="Whether the provider may call an address of ours."
    )
    key_may_withdraw = serializers.BooleanField(
        read_only=True, help_text="Whoever has this key can take the money."
    )

    class Meta:
        model = Connection
        fields = [
            "id",
            "workspace",
            "provider",
            "label",
            "health",
            "needs_person",
            "is_silent",
            "error_code",
            "error",
            "external_user",
            "consent_expires_at",
            "consent_days_left",
            "token_expires_at",
            "listening",
            "last_sync_at",
            "last_success_at",
            "next_sync_at",
            "sync_interval_seconds",
            "trading_interval_seconds",
            "trading_read_at",
            "key_may_withdraw",
            "failures",
            "breaker",
            "created",
            "archived_at",
        ]
        read_only_fields = fields

    def get_listening(self, connection: Connection) -> bool:
        return connection.webhook_digest is not None

    @extend_schema_field(BreakerSerializer)
    def get_breaker(self, connection: Connection) -> dict[str, Any]:
        known = self.context.setdefault("breakers", {})
        if connection.provider not in known:
            known[connection.provider] = breaker_of(connection.provider)
        return known[connection.provider]


class ConnectionPatch(StrictSerializer):
    label = Text(max_length=100, allow_blank=True, required=False)
    consent_expires_at = Moment(
        required=False, allow_null=True, help_text="For providers that do not tell."
    )
    sync_interval_seconds = Whole(**PACE, required=False)
    trading_interval_seconds = Whole(**PACE, required=False)
    credentials = Credentials(required=False)


class ConnectionCreate(StrictSerializer):
    workspace = Id(required=False, help_text="Needed with several workspaces.")
    provider = Text(max_length=40)
    label = Text(max_length=100, allow_blank=True, default="")
    sync_interval_seconds = Whole(**PACE, required=False)
    credentials = Credentials(default=dict)

    def validate_provider(self, slug: str) -> str:
        if slug not in providers.slugs():
            raise serializers.ValidationError("No such provider.", "unknown_provider")
        return slug


class SyncRequest(StrictSerializer):
    kind = Choice(SYNC_KINDS, default=SyncRun.Kind.MANUAL.value)


class FindingSerializer(serializers.Serializer):
    """What the credentials turned out to allow."""

    ok = serializers.BooleanField()
    accounts = serializers.IntegerField(help_text="How many they can see.")
    may = serializers.ListField(child=serializers.CharField())
    warnings = serializers.ListField(child=serializers.CharField())
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="What the provider says of the key."
    )
    may_withdraw = serializers.BooleanField(
        allow_null=True, help_text="null: the provider does not tell."
    )
    error_code = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)


def check_credentials(slug: str, told: dict[str, str], *, all_of_them: bool) -> None:
    """Raise ValidationError for fields the provider lacks or needs."""
    fields = {field.name: field for field in providers.load(slug).fields}
    found = {
        name: [serializers.ErrorDetail("There is no such field.", "unknown_field")]
        for name in told
        if name not in fields
    }
    if all_of_them:
        found |= {
            name: [serializers.ErrorDetail("This is needed.", "required")]
            for name, field in fields.items()
            if field.required and not told.get(name)
        }
    if found:
        raise serializers.ValidationError({"credentials": found})


class Connections(Api):
    queryset = Connection.objects.all()
    serializer_class = ConnectionSerializer

    def get_queryset(self):
        return Connection.objects.of(self.request.user)

    def usable(self) -> Connection:
        """Return the connection; raises Archived if it is used no more."""
        connection = self.get_object()
        if connection.archived_at is not None:
            raise Archived
        return connection


class ConnectionList(Connections, generics.ListAPIView):
    """List connections, newest first."""

    filterset_class = ConnectionFilter
    roles = {"POST": ADMIN}

    @extend_schema(request=ConnectionCreate, responses={201: ConnectionSerializer})
    @idempotent()
    def post(self, request):
        """Connect a provider; where consent is needed, authorize comes next."""
        told = self.body(ConnectionCreate)
        workspace = self.workspace(told.get("workspace"))
        check_credentials(told["provider"], told["credentials"], all_of_them=True)
        made = services.connect(
            workspace, told["provider"], told["credentials"], label=told["label"]
        )
        if "sync_interval_seconds" in told:
            made.sync_interval_seconds = told["sync_interval_seconds"]
            made.save(update_fields=["sync_interval_seconds"])
        return Response(self.get_serializer(made).data, 201)


class ConnectionDetail(Connections):
    roles = {"PATCH": ADMIN, "DELETE": ADMIN}

    def get(self, request, pk):
        """Show one connection."""
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=ConnectionPatch)
    @problems(409, 503)
    def patch(self, request, pk):
        """Change the label, the interval or the credentials."""
        connection, told = self.usable(), self.body(ConnectionPatch)
        credentials = told.pop("credentials", None)
        if credentials is not None:
            check_credentials(connection.provider, credentials, all_of_them=False)
            services.update_credentials(connection, credentials)
        for name, value in told.items():
            setattr(connection, name, value)
        if told:
            connection.save(update_fields=list(told))
        if "sync_interval_seconds" in told:
            services.keep_pace(connection)
        return Response(self.get_serializer(connection).data)

    @extend_schema(responses={204: None})
    def delete(self, request, pk):
        """Archive the connection and erase its credentials; its history stays."""
        connection = self.get_object()
        if connection.archived_at is None:
            connection.archive()
        return Response(status=204)


class ConnectionTest(Connections):
    roles = {"POST": OPERATOR}

    @extend_schema(request=Nothing, responses=FindingSerializer)
    @problems(*OF_PROVIDER)
    @idempotent(goes_out=True)
    def post(self, request, pk):
        """Try the credentials at the provider and say what they allow."""
        connection = self.usable()
        self.body(Nothing)
        found = services.test_connection(connection)
        return Response(FindingSerializer(found).data)


class ConnectionSync(Connections):
    roles = {"POST": OPERATOR}

    @extend_schema(request=SyncRequest, responses={202: SyncRunSerializer})
    @idempotent()
    def post(self, request, pk):
        """Start a sync; the answer names the sync run to look at."""
        connection, told = self.usable(), self.body(SyncRequest)
        run = services.request_sync(connection, told["kind"], user=request.user)
        publishing.publish(tasks.run_sync, str(run.pk))
        return Response(SyncRunSerializer(run).data, 202)


class AuthorizeSerializer(serializers.Serializer):
    """Where a person gives consent."""

    url = serializers.URLField()


class ConnectionAuthorize(Connections):
    roles = {"POST": ADMIN}

    @extend_schema(request=Nothing, responses=AuthorizeSerializer)
    @problems(503)
    @idempotent()
    def post(self, request, pk):
        """Return the page at the provider where a person gives consent."""
        connection = self.usable()
        self.body(Nothing)
        url = services.start_authorization(connection, request.user)
        return Response({"url": url})
