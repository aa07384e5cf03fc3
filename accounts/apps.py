from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings

from providers import drivers


class AccountsConfig(AppConfig):
    """What is held, and where."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Money"

    def ready(self) -> None:
        from . import receivers  # noqa: F401, PLC0415  # ready() may import

        drivers.configure(settings.REDIS_URL)
