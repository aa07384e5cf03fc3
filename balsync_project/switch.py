"""The switch on the first page that stops all moves of a workspace."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.admin import show
from accounts.admin.base import Role, may, tell
from accounts.models import Workspace
from automation import services, tasks


def switches(request: HttpRequest) -> list[dict[str, Any]]:
    """Return each workspace of the user: whether money moves there, and who may say."""
    rows = admin.site.get_model_admin(Workspace).get_queryset(request)
    return [
        {
            "workspace": row,
            "since": show.exact(row.paused_at) if row.paused_at else "",
            "dry": row.dry_run or settings.DRY_RUN,
            "allowed": may(request, Role.OPERATOR, row.pk),
            "url": reverse("pause", args=[row.pk]),
        }
        for row in rows.order_by("name")
    ]


@require_POST
def turn(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Pause the moves of one workspace, or let them go on."""
    rows = admin.site.get_model_admin(Workspace).get_queryset(request)
    workspace = rows.filter(pk=pk).first()
    if workspace is None:
        raise Http404
    if not may(request, Role.OPERATOR, workspace.pk):
        raise PermissionDenied
    if request.POST.get("pause") == "yes":
        services.pause(workspace, user=request.user)
        tell(request, f"All moves in {workspace} are paused.", good=False)
    elif request.POST.get("pause") == "no":
        tasks.queue_runs(services.unpause(workspace, user=request.user))
        tell(request, f"Moves in {workspace} go on.")
    return redirect("admin:index")
