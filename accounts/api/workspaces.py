from __future__ import annotations

from rest_framework import generics, serializers

from accounts.models import Membership

from .base import Api


class WorkspaceSerializer(serializers.ModelSerializer):
    """A workspace of the caller, and what they may do in it."""

    id = serializers.UUIDField(source="workspace_id", read_only=True)
    name = serializers.CharField(source="workspace.name", read_only=True)
    created = serializers.DateTimeField(source="workspace.created", read_only=True)
    paused_at = serializers.DateTimeField(
        source="workspace.paused_at", read_only=True, allow_null=True
    )
    dry_run = serializers.BooleanField(source="workspace.dry_run", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "name", "role", "created", "paused_at", "dry_run"]
        read_only_fields = fields
        ref_name = "Workspace"


class WorkspaceList(Api, generics.ListAPIView):
    """List the workspaces that the caller belongs to, newest first."""

    queryset = Membership.objects.all()
    serializer_class = WorkspaceSerializer
    ordering = ("-workspace__created", "-pk")

    def get_queryset(self):
        return Membership.objects.of(self.request.user).select_related("workspace")
