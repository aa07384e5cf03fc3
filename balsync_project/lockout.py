"""What a person sees who may not sign in for a while."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def locked_out(
    request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None
) -> HttpResponse:
    """Return the page that says so; the API has said so itself."""
    if request.path.startswith("/api/"):
        return response
    wait = settings.AXES_COOLOFF_TIME.total_seconds()
    context = {"title": "Locked", "minutes": int(wait // 60)}
    whole = admin.site.each_context(request) | context
    told = render(request, "admin/locked_out.html", whole, status=429)
    told["Retry-After"] = f"{wait:.0f}"
    return told
