"""The button on the first page that asks every provider at once."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.admin.account import request_syncs
from accounts.admin.base import Role, may
from accounts.admin.connection import can_be_asked
from accounts.models import Connection


@require_POST
def now(request: HttpRequest) -> HttpResponse:
    """Ask for a sync of every connection that can be asked and that the user operates."""
    if not may(request, Role.OPERATOR):
        raise PermissionDenied
    rows = admin.site.get_model_admin(Connection).get_queryset(request)
    allowed = [row for row in rows if may(request, Role.OPERATOR, row.workspace_id)]
    request_syncs(request, [row for row in allowed if can_be_asked(row)])
    return redirect("admin:index")
