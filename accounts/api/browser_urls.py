"""What a person's browser opens: no API, and outside /api/v1/."""

from __future__ import annotations

from django.urls import path

from . import callback

urlpatterns = [
    path("oauth/<slug:slug>/callback", callback.oauth_callback, name="oauth_callback"),
]
