"""Who changed what, when and why."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import generics, serializers

from accounts.models import AuditEvent, AuditSeal

from .base import ADMIN, Api, RoleNeeded
from .filters import AuditFilter


class AuditObjectSerializer(serializers.Serializer):
    """What it was done to; ids of other kinds than ours are texts."""

    kind = serializers.CharField(source="object_kind")
    id = serializers.CharField(source="object_id")


class AuditSealSerializer(serializers.ModelSerializer):
    """Where it stands in the chain."""

    class Meta:
        model = AuditSeal
        fields = ["position", "hash", "sealed_at"]
        read_only_fields = fields


class AuditSerializer(serializers.ModelSerializer):
    """One change or decision. Amounts in `old` and `new` are strings of minor units."""

    key = serializers.UUIDField(
        source="key_id", allow_null=True, help_text="That signed the request."
    )
    object = AuditObjectSerializer(source="*", read_only=True)
    old = serializers.DictField(help_text="What was, of what changed.")
    new = serializers.DictField(help_text="What is, of what changed.")
    seal = serializers.SerializerMethodField()

    class Meta:
        model = AuditEvent
        fields = [
            "id",
            "workspace",
            "created",
            "action",
            "object",
            "actor",
            "user_id",
            "key",
            "via",
            "old",
            "new",
            "reason",
            "request_id",
            "seal",
        ]
        read_only_fields = fields

    @extend_schema_field(AuditSealSerializer(allow_null=True))
    def get_seal(self, row: AuditEvent) -> dict | None:
        seal = getattr(row, "seal", None)
        return seal and AuditSealSerializer(seal).data


class AuditList(Api, generics.ListAPIView):
    """List what was done in the workspaces that you are an admin of, newest first."""

    queryset = AuditEvent.objects.all()
    serializer_class = AuditSerializer
    filterset_class = AuditFilter
    roles = {"GET": ADMIN, "HEAD": ADMIN}

    def get_queryset(self):
        ours = [pk for pk, row in self.memberships.items() if row.may(ADMIN)]
        if not ours and not getattr(self, "swagger_fake_view", False):
            raise RoleNeeded("This needs the role admin in a workspace.")
        rows = AuditEvent.objects.of(self.request.user).filter(workspace__in=ours)
        return rows.select_related("seal")
