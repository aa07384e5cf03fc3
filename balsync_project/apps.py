from __future__ import annotations

from django.apps import AppConfig

from .celery import app

__all__ = ["BalsyncConfig", "app"]


class BalsyncConfig(AppConfig):
    name = "balsync_project"
    verbose_name = "balsync"
