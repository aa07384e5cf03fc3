from __future__ import annotations

from datetime import timedelta

from django.db import models

from .base import Row
from .connection import Connection


class WebhookInbox(Row):
    """One event that a provider told us of; what it means is asked for afterwards."""

    KEPT = timedelta(days=30)
    GIVEN_UP = timedelta(days=1)  # the periodic sync has read it by then

    connection = models.ForeignKey(
        Connection, models.CASCADE, related_name="webhook_events"
    )
    event_id = models.CharField(max_length=100)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    fetched_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created"]
        verbose_name_plural = "webhook inbox"
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "event_id"], name="one_row_per_event"
            )
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=models.Q(fetched_at=None),
                name="webhook_unfetched",
            )
        ]

    def __str__(self) -> str:
        return self.event_id
