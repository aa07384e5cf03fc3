from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts.api.base import OPERATOR, Api
from accounts.api.fields import Id, StrictSerializer
from accounts.api.idempotency import idempotent
from accounts.models import Workspace
from automation import services, tasks


class PauseRequest(StrictSerializer):
    """`workspace`: which, if the caller has several."""

    workspace = Id(required=False)


class PauseSerializer(serializers.ModelSerializer):
    """Whether money moves in a workspace."""

    workspace = serializers.UUIDField(source="pk", read_only=True)

    class Meta:
        model = Workspace
        fields = ["workspace", "paused_at"]
        read_only_fields = fields


class Pause(Api):
    queryset = Workspace.objects.all()
    serializer_class = PauseSerializer
    roles = {"POST": OPERATOR, "DELETE": OPERATOR}

    @extend_schema(request=PauseRequest, responses=PauseSerializer)
    @idempotent()
    def post(self, request):
        """Let no transfer be sent any more; what is on its way is finished."""
        workspace = self.workspace(self.body(PauseRequest).get("workspace"))
        services.pause(workspace, user=request.user)
        return Response(self.get_serializer(workspace).data)

    @extend_schema(
        parameters=[OpenApiParameter("workspace", str, OpenApiParameter.QUERY)],
        responses={200: PauseSerializer},
    )
    def delete(self, request):
        """Let money move again: runs that waited go on, unless it is too late."""
        form = PauseRequest(data=request.query_params.dict())
        form.is_valid(raise_exception=True)
        workspace = self.workspace(form.validated_data.get("workspace"))
        tasks.queue_runs(services.unpause(workspace, user=request.user))
        return Response(self.get_serializer(workspace).data)
