"""What happened that somebody may want to hear of, who does, and what came of telling."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from accounts.events import Edge, Phase
from accounts.fields import MinorUnits, SealedJSONField, is_money
from accounts.visibility import seen_by

from .account import Account
from .base import Row
from .sync import Severity
from .workspace import Workspace

LONGEST_KEY = 200


class EventQuerySet(models.QuerySet):
    def of(self, user) -> EventQuerySet:
        """Return the events that `user` may see."""
        return self.filter(seen_by(user))


class Event(Row):
    """Something that happened; written with what it tells, and delivered afterwards.

    Its id is the key by which a receiver knows a repeat.
    """

    KEPT = timedelta(days=90)

    workspace = models.ForeignKey(
        Workspace, models.PROTECT, related_name="events", db_index=False
    )
    kind = models.CharField(max_length=40)
    phase = models.CharField(max_length=5, choices=[(p.value, p.value) for p in Phase])
    severity = models.CharField(max_length=10, choices=Severity)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    key = models.CharField(
        max_length=LONGEST_KEY, help_text="What events about the same thing share."
    )
    text = models.TextField()
    data = models.JSONField(default=dict)
    # Whose threshold it was; empty: it concerns everybody of the workspace.
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
    )
    routed_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-created"]
        indexes = [
            models.Index(fields=["workspace", "-created"], name="event_by_time"),
            models.Index(
                fields=["created"], condition=Q(routed_at=None), name="event_unrouted"
            ),
        ]

    def __str__(self) -> str:
        return self.text


class Condition(models.Model):
    """Something that lasts, or did until lately, and what was told of it."""

    key = models.CharField(max_length=LONGEST_KEY, primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=40)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+"
    )
    holds = models.BooleanField()
    since = models.DateTimeField(null=True)
    heard = models.BooleanField()
    told = models.PositiveIntegerField()
    told_at = models.DateTimeField(null=True)
    severity = models.CharField(max_length=10, choices=Severity)
    text = models.TextField()
    data = models.JSONField(default=dict)

    EDGE = ("holds", "since", "heard", "told", "told_at", "severity")

    class Meta:
        indexes = [models.Index(fields=["kind"], name="condition_by_kind")]

    def __str__(self) -> str:
        return self.key

    @property
    def edge(self) -> Edge:
        return Edge(**{name: getattr(self, name) for name in self.EDGE})

    @edge.setter
    def edge(self, after: Edge) -> None:
        for name in self.EDGE:
            setattr(self, name, getattr(after, name))


def percent(**more) -> models.DecimalField:
    return models.DecimalField(
        max_digits=7,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        **more,
    )


def check_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError("A time zone such as Europe/London.")


class Preference(Row):
    """What one person wants to hear of one workspace, and when."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="preferences")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="preferences"
    )
    kinds = models.JSONField(default=list, blank=True)
    timezone = models.CharField(
        max_length=64, default="Europe/London", validators=[check_zone]
    )
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(
        null=True, blank=True, help_text="Only what is critical is told before."
    )

    class Meta:
        ordering = ["created"]
        verbose_name = "notification settings"
        verbose_name_plural = "notification settings"
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "user"], name="one_preference_per_member"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def clean(self) -> None:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValidationError("Quiet hours need a beginning and an end.")


class Threshold(Row):
    """From which amount on one person wants to hear of one account, in minor units."""

    preference = models.ForeignKey(
        Preference, models.CASCADE, related_name="thresholds"
    )
    account = models.ForeignKey(Account, models.CASCADE, related_name="thresholds")
    low = MinorUnits(
        null=True, blank=True, help_text="Told when less than this is available."
    )
    change = MinorUnits(
        null=True, blank=True, help_text="Told when the total changes by this."
    )
    change_percent = percent(help_text="Of what was told before; both must be reached.")
    # What the next change is measured from: a slow drift is a change as well.
    told_total = MinorUnits(null=True, blank=True, editable=False)
    told_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["preference", "account"], name="one_threshold_per_account"
            ),
            models.CheckConstraint(
                condition=is_money("low")
                & is_money("change", least=0)
                & is_money("told_total"),
                name="threshold_is_money",
            ),
        ]

    def __str__(self) -> str:
        return str(self.account)


class Channel(Row):
    """One way to reach a person. Its address is a secret: sealed, and never shown again."""

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "Webhook"
        EMAIL = "email", "E-mail"
        CHAT = "chat", "Chat"

    # So long a replaced signing key still signs as well.
    OVERLAP = timedelta(hours=24)

    preference = models.ForeignKey(Preference, models.CASCADE, related_name="channels")
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=100)
    shown = models.CharField(max_length=100, editable=False)
    address = SealedJSONField(default=dict)  # url, key, old_key: text by name
    old_key_until = models.DateTimeField(null=True, blank=True, editable=False)
    kinds = models.JSONField(
        default=list, blank=True, help_text="Empty: all that is chosen above."
    )
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["created"]
        constraints = [
            models.UniqueConstraint(
                fields=["preference", "name"], name="one_channel_per_name"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(Row):
    """One event on its way over one channel. The row is the record, not the message."""

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        GIVEN_UP = "given_up"
        HELD_BACK = "held_back"  # the same was told a moment ago

    LEASE = timedelta(seconds=60)  # longer than a try lasts; then it is tried again

    event = models.ForeignKey(Event, models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(
        Channel, models.SET_NULL, null=True, related_name="deliveries"
    )
    # To whom it went stays known when the channel is gone.
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False
    )
    channel_kind = models.CharField(max_length=10, choices=Channel.Kind)
    channel_name = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=now, null=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-created"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["event", "channel"], name="one_delivery_per_channel"
            )
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(status="pending"),
                name="delivery_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.event.kind} to {self.channel_name}"
