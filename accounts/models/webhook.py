from __future__ import annotations

from datetime import timedelta

from django.db import models

from .base import Row
from .connection import Connection


class WebhookInboxQuerySet(models.QuerySet):
    def waiting(self) -> WebhookInboxQuerySet:
        """Return the events about which the provider is still to be asked."""
        return self.filter(fetched_at=None, next_try_at__isnull=False)

    def given_up(self) -> WebhookInboxQuerySet:
        """Return those that it could not be asked about in time."""
        return self.filter(fetched_at=None, next_try_at=None)


class WebhookInbox(Row):
    """One event that a provider told us of; what it means is asked for afterwards."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        FETCHED = "fetched"
        GIVEN_UP = "given_up"

    KEPT = timedelta(days=30)
    BODY_KEPT = timedelta(days=7)  # for whoever wants to see what was said
    GIVEN_UP = timedelta(days=1)  # after which what it hinted at is no news any more

    connection = models.ForeignKey(
        Connection, models.CASCADE, related_name="webhook_events"
    )
    event_id = models.CharField(max_length=100)
    body = models.BinaryField(
        null=True, editable=False, help_text="As it came; erased after some days."
    )
    deliveries = models.PositiveIntegerField(default=1, help_text="It counts once.")
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)  # None: given up
    fetched_at = models.DateTimeField(null=True, blank=True)

    objects = WebhookInboxQuerySet.as_manager()

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

    @property
    def text(self) -> str:
        """What was said, for people; it never decides anything."""
        return "" if self.body is None else bytes(self.body).decode("utf-8", "replace")

    @property
    def status(self) -> str:
        """What has become of it: fetched, waiting, or given up."""
        if self.fetched_at is not None:
            return self.Status.FETCHED
        return self.Status.WAITING if self.next_try_at else self.Status.GIVEN_UP
