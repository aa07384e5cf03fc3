from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils.timezone import now

from accounts.visibility import seen_by

from .connection import Connection


class StreamQuerySet(models.QuerySet):
    def of(self, user) -> StreamQuerySet:
        """Return the streams that `user` may see."""
        return self.filter(seen_by(user, "connection__workspace"))

    def in_use(self) -> StreamQuerySet:
        return self.filter(connection__archived_at=None)


class Stream(models.Model):
    """One stream of a connection: which process holds it open, and how it is."""

    class State(models.TextChoices):
        CONNECTING = "connecting"
        LIVE = "live"
        PAUSED = "paused", "paused by the institution"
        WAITING = "waiting", "waiting for the next try"
        REFUSED = "refused"
        OFF = "off"

    LEASE = timedelta(seconds=6)  # a process that is silent for so long is replaced

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="streams")
    name = models.CharField("stream", max_length=40)
    state = models.CharField(max_length=12, choices=State, default=State.CONNECTING)
    reason = models.TextField("why", blank=True)
    since = models.DateTimeField(default=now)
    lived_at = models.DateTimeField("last live", null=True, blank=True)
    holder = models.CharField("held by", max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    next_try_at = models.DateTimeField("next try", null=True, blank=True)
    frames = models.BigIntegerField(default=0)
    connections = models.BigIntegerField("connections made", default=0)
    requests = models.BigIntegerField("asked over REST", default=0)

    objects = StreamQuerySet.as_manager()

    class Meta:
        ordering = ["connection", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "name"], name="stream_of_connection"
            )
        ]

    def __str__(self) -> str:
        return f"{self.connection}: {self.name}"

    @property
    def is_held(self) -> bool:
        """Say whether a process holds it open."""
        return self.lease_until is not None and self.lease_until > now()

    @property
    def shown_state(self) -> str:
        """Return how it really is: nobody's stream is off, whatever was said last."""
        return self.state if self.is_held else self.State.OFF

    @property
    def is_live(self) -> bool:
        return self.shown_state == self.State.LIVE
