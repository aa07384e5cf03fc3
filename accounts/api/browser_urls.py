"""What browsers and providers open: no API, and outside /api/v1/."""

from __future__ import annotations

from django.urls import path

from . import callback, webhooks

urlpatterns = [
    path("oauth/<slug:slug>/callback", callback.oauth_callback, name="oauth_callback"),
    path("webhooks/<slug:slug>/<str:secret>/", webhooks.webhook, name="webhook"),
]
