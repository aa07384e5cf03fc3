from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django_celery_beat.schedulers import DatabaseScheduler

from . import heartbeats


class Scheduler(DatabaseScheduler):
    """Beat's rows are in the database; each turn of its loop is a sign of life."""

    _told_at = 0.0

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, and say that beat is alive; return seconds to sleep."""
        pause: float = super().tick(*args, **kwargs)
        if time.monotonic() - self._told_at > settings.HEARTBEAT_EVERY.total_seconds():
            self._told_at = time.monotonic()
            heartbeats.write("beat")
        return pause
