"""What every view shares: who may, how much, in which shape."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import generics, serializers
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import JSONRenderer

from accounts.models import Membership, Workspace

from .paging import Pages
from .parsing import StrictJSONParser
from .problems import Problem
from .schema import Schema
from .throttling import CallerRate

VIEWER, OPERATOR, ADMIN = (
    Membership.Role.VIEWER,
    Membership.Role.OPERATOR,
    Membership.Role.ADMIN,
)


class RoleNeeded(Problem):
    """Your role in this workspace does not allow this."""

    status_code = 403
    default_code = "role_needed"


class HasRole(BasePermission):
    """Lets members do what their role allows; strangers never get this far."""

    def has_object_permission(self, request, view, obj) -> bool:
        view.require(view.workspace_id_of(obj))
        return True


class Api(generics.GenericAPIView):
    """A view of what the caller's workspaces hold. Anything else is not found."""

    schema = Schema()
    parser_classes = [StrictJSONParser]
    renderer_classes = [JSONRenderer]
    pagination_class = Pages
    throttle_classes = [CallerRate]
    permission_classes = [IsAuthenticated, HasRole]
    metadata_class = None
    lookup_url_kwarg = "pk"
    roles: ClassVar[Mapping[str, str]] = {}  # by method; reading needs a viewer
    workspace_path: ClassVar[str] = "workspace_id"

    def workspace_id_of(self, obj) -> UUID:
        return attrgetter(self.workspace_path)(obj)

    def require(self, workspace_id: UUID) -> None:
        """Raise RoleNeeded unless the caller may use this method in the workspace."""
        role = self.roles.get(self.request.method, VIEWER)
        membership = self.memberships.get(workspace_id)
        if membership is None or not membership.may(role):
            raise RoleNeeded(f"This needs the role {role} in the workspace.")

    @property
    def memberships(self) -> dict[UUID, Membership]:
        """The caller's memberships by workspace, read once per request."""
        if not hasattr(self.request, "_memberships"):
            found = Membership.objects.of(self.request.user)
            self.request._memberships = {row.workspace_id: row for row in found}
        return self.request._memberships

    def body(self, form: type[serializers.Serializer], **context: Any) -> dict:
        """Return the checked body; raises ValidationError."""
        reader = form(
            data=self.request.data,
            partial=self.request.method == "PATCH",
            context=self.get_serializer_context() | context,
        )
        reader.is_valid(raise_exception=True)
        return reader.validated_data

    def workspace(self, told: UUID | None) -> Workspace:
        """Return the workspace to create in: the one told, or the caller's only one."""
        if told is None and len(self.memberships) != 1:
            raise invalid("workspace", "Say which workspace.", "required")
        if told is not None and told not in self.memberships:
            raise invalid("workspace", "You have no such workspace.", "does_not_exist")
        chosen = Workspace.objects.get(pk=told or next(iter(self.memberships)))
        self.require(chosen.pk)
        return chosen


def invalid(
    field: str, detail: str, code: str = "invalid"
) -> serializers.ValidationError:
    """Return the error of one field."""
    return serializers.ValidationError({field: [serializers.ErrorDetail(detail, code)]})
