from __future__ import annotations

from django.apps import AppConfig


class AutomationConfig(AppConfig):
    """What to do about it."""

    name = "automation"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Automation"

    def ready(self) -> None:
        from . import events, receivers, watches  # noqa: F401, PLC0415  # ready() may import
