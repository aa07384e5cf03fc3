from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils.timezone import now

import providers
from accounts.fields import SealedJSONField
from accounts.visibility import seen_by

from .base import Row
from .workspace import Workspace


class ConnectionQuerySet(models.QuerySet):
    def of(self, user) -> ConnectionQuerySet:
        """Return the connections that `user` may see."""
        return self.filter(seen_by(user))

    def in_use(self) -> ConnectionQuerySet:
        return self.filter(archived_at=None)

    def to_sync(self) -> ConnectionQuerySet:
        """Return the rows with no more columns than a sync reads."""
        return self.only(
            "provider",
            "credentials",
            "health",
            "external_user",
            "token_expires_at",
            "token_version",
            "archived_at",
            "accounts_listed_at",
            "trading_interval_seconds",
            "trading_read_at",
        )

    def due(self, moment) -> ConnectionQuerySet:
        """Return the connections whose next periodic sync has come."""
        return self.in_use().filter(next_sync_at__lte=moment)


class Connection(Row):
    """One person's consent or credentials at one provider."""

    class Health(models.TextChoices):
        NEW = "new"
        OK = "ok"
        FAILING = "failing"
        AWAITING_APPROVAL = "awaiting_approval"  # consent given, not yet confirmed
        RECONNECT_NEEDED = "reconnect_needed"  # only a person can go on
        ARCHIVED = "archived"

    # A sync may run while a person must act: reading never makes consent worse.
    REFRESH_LEASE = timedelta(seconds=45)
    # Younger than both of these, a balance is never called stale.
    FRESH = timedelta(minutes=15)
    FRESH_INTERVALS = 1.5
    SHORTEST, LONGEST = 30, 7 * 86_400  # seconds between two that come by themselves

    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="connections")
    # Without an index of its own: each sync writes the row twice, in every index.
    provider = models.SlugField("provider", max_length=40, db_index=False)
    label = models.CharField(max_length=100, blank=True)
    credentials = SealedJSONField(default=dict, blank=True)
    health = models.CharField(max_length=20, choices=Health, default=Health.NEW)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    external_user = models.CharField(max_length=100, blank=True)
    consent_expires_at = models.DateTimeField(
        "consent ends",
        null=True,
        blank=True,
        help_text="Set by the provider where it tells; else yours to note, in UTC.",
    )
    token_expires_at = models.DateTimeField(null=True, blank=True)
    token_version = models.PositiveIntegerField(default=0)
    refresh_lease_until = models.DateTimeField(null=True, blank=True)
    sync_interval_seconds = models.PositiveIntegerField(
        default=600,
        validators=[MinValueValidator(SHORTEST), MaxValueValidator(LONGEST)],
    )
    next_sync_at = models.DateTimeField(null=True, blank=True)
    accounts_listed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Empty: list them next time."
    )
    last_sync_at = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField("failures in a row", default=0)
    trading_interval_seconds = models.PositiveIntegerField(
        "seconds between readings of orders, trades and positions",
        default=1800,
        db_default=1800,
        validators=[MinValueValidator(SHORTEST), MaxValueValidator(LONGEST)],
    )
    trading_read_at = models.DateTimeField(null=True, blank=True, editable=False)
    # What the key may do, as the provider said: read, trade, withdraw, transfer …
    key_may = models.JSONField(null=True, blank=True, editable=False)
    key_read_at = models.DateTimeField(null=True, blank=True, editable=False)
    webhook_digest = models.CharField(
        max_length=64, null=True, blank=True, unique=True, editable=False
    )
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["provider", "label", "created"]
        indexes = [
            models.Index(
                fields=["next_sync_at"],
                condition=models.Q(archived_at=None),
                name="connection_due",
            )
        ]

    def __str__(self) -> str:
        return self.label or f"{self.provider} {str(self.pk)[:8]}"

    @property
    def adapter(self) -> providers.Provider:
        """Return the provider, speaking with this connection's credentials."""
        return providers.load(self.provider)(
            self.open_credentials(), provider_urls(self.provider)
        )

    @property
    def stale_after(self) -> timedelta:
        """Return the age from which a balance of this connection is stale."""
        return self.stale_limit(self.sync_interval_seconds)

    @classmethod
    def stale_limit(cls, interval: float) -> timedelta:
        """Return the age from which a balance is stale that is read every so many seconds."""
        return max(cls.FRESH, cls.FRESH_INTERVALS * timedelta(seconds=interval))

    @property
    def consent_days_left(self) -> int | None:
        """Return the whole days until the consent ends, below 0 once it has."""
        if self.consent_expires_at is None:
            return None
        return (self.consent_expires_at - now()).days

    @property
    def is_silent(self) -> bool:
        """Return whether nothing good was heard for longer than anybody should accept."""
        return self.silent_for(now()) > self.silent_after

    @property
    def silent_after(self) -> timedelta:
        """Return how long a connection may go without a good sync, unnoticed."""
        intervals = 3 * timedelta(seconds=self.sync_interval_seconds)
        return max(settings.NO_SYNC_ALARM, intervals)

    def silent_for(self, moment: datetime) -> timedelta:
        """Return for how long no sync was good; none where nobody is ever asked."""
        if self.next_sync_at is None:
            return timedelta()
        return moment - (self.last_success_at or self.created)

    @property
    def needs_person(self) -> bool:
        return self.health in (
            self.Health.RECONNECT_NEEDED,
            self.Health.AWAITING_APPROVAL,
        )

    @property
    def key_may_withdraw(self) -> bool:
        """Return whether the provider says that the key can take money out."""
        return bool(self.key_may and self.key_may.get("withdraw"))

    def archive(self) -> None:
        """Stop using this connection and erase its secrets; its history stays.

        What it alone automated is outside totals from now on, and what another
        connection sees as well is automated there.
        """
        self.credentials = {}
        self.webhook_digest = None
        self.archived_at = now()
        self.health = self.Health.ARCHIVED
        self.next_sync_at = None
        with transaction.atomic():
            self.save()
            self.accounts.hand_over()
            self.accounts.filter(automates=True).update(automates=False)


class AuthorizationRequest(models.Model):
    """A consent that a browser was sent to give; its `state` works once (RFC 6749, 10.12)."""

    LIFETIME = timedelta(minutes=30)

    state_digest = models.CharField(max_length=64, primary_key=True)
    connection = models.ForeignKey(
        Connection, models.CASCADE, related_name="authorization_requests"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True)
    redirect_uri = models.URLField(max_length=500)
    created = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)


def provider_urls(slug: str) -> dict[str, str]:
    """Return where the operator wants `slug` to be reached, by host key."""
    told = settings.PROVIDER_URLS.get(slug, {})
    if isinstance(told, str):
        return dict.fromkeys(providers.load(slug).hosts, told)
    return dict(told)
