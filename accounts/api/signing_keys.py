from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.response import Response

from accounts import services
from accounts.models import Scope, SigningKey

from .base import ADMIN, Api, RoleNeeded
from .fields import Choice, Id, Moment, StrictSerializer, Text
from .idempotency import idempotent
from .problems import Problem
from .signed import ScopeNeeded

STATES = ("live", "expired", "revoked")


class KeyNotMade(Problem):
    """This key cannot be made."""

    status_code = 409
    default_code = "signing_key_refused"


class SigningKeySerializer(serializers.ModelSerializer):
    """A key that signs requests; `id` is its keyid. Its secret is never shown here."""

    scopes = serializers.ListField(child=Choice(Scope.values))
    state = Choice(STATES)
    user = serializers.CharField(source="user.username")

    class Meta:
        model = SigningKey
        fields = [
            "id",
            "workspace",
            "user",
            "label",
            "scopes",
            "state",
            "created",
            "last_used_at",
            "expires_at",
            "revoked_at",
        ]
        read_only_fields = fields


class NewSigningKeySerializer(SigningKeySerializer):
    """A new key with its secret, which nothing shows again."""

    secret = serializers.CharField(help_text="Its bytes, as text, are the HMAC's key.")

    class Meta(SigningKeySerializer.Meta):
        fields = [*SigningKeySerializer.Meta.fields, "secret"]
        read_only_fields = fields


class SigningKeyCreate(StrictSerializer):
    """`scopes`: what it may be about; it acts for you, in one workspace."""

    workspace = Id(required=False, help_text="Needed with several workspaces.")
    label = Text(max_length=100, allow_blank=True, default="")
    scopes = serializers.ListField(
        child=Choice(Scope.values), min_length=1, max_length=len(Scope)
    )
    expires_at = Moment(required=False, allow_null=True, default=None)


class SigningKeys(Api):
    queryset = SigningKey.objects.all()
    serializer_class = SigningKeySerializer
    roles = {"GET": ADMIN, "HEAD": ADMIN, "POST": ADMIN, "DELETE": ADMIN}

    def get_queryset(self):
        return SigningKey.objects.of(self.request.user).select_related("user")


class SigningKeyList(SigningKeys, generics.ListAPIView):
    """List the keys of the workspaces that you are an admin of, newest first."""

    def get_queryset(self):
        ours = [pk for pk, row in self.memberships.items() if row.may(ADMIN)]
        if not ours and not getattr(self, "swagger_fake_view", False):
            raise RoleNeeded("This needs the role admin in a workspace.")
        return super().get_queryset().filter(workspace__in=ours)

    @extend_schema(request=SigningKeyCreate, responses={201: NewSigningKeySerializer})
    @idempotent()
    def post(self, request):
        """Make a key that acts for you; this answer alone shows its secret.

        Two keys with one label may be live, so that one can take over from the other.
        """
        told = self.body(SigningKeyCreate)
        workspace = self.workspace(told.pop("workspace", None))
        self.refuse_more_than_mine(told["scopes"])
        try:
            key, secret = services.make_signing_key(workspace, request.user, **told)
        except services.SigningKeyRefused as error:
            raise refused(error) from error
        shown = self.get_serializer(key).data
        return Response({**shown, "secret": secret}, 201)

    def refuse_more_than_mine(self, scopes: list[str]) -> None:
        """Raise ScopeNeeded where a key would make one that may do more than itself."""
        mine = self.request.auth
        if isinstance(mine, SigningKey) and not set(scopes) <= set(mine.scopes):
            raise ScopeNeeded("A key makes no key with more scopes than its own.")


class SigningKeyDetail(SigningKeys):
    def get(self, request, pk):
        """Show one key without its secret."""
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses={204: None})
    def delete(self, request, pk):
        """Revoke a key at once and erase its secret; its row stays."""
        self.get_object().revoke()
        return Response(status=204)


def refused(error: services.SigningKeyRefused) -> Problem:
    """Return what the caller is told about a key that cannot be made."""
    told = KeyNotMade(str(error))
    told.detail.code = error.code
    return told
