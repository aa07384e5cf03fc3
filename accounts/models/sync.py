from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.timezone import now

from accounts.fields import MinorUnits, is_money
from accounts.visibility import seen_by

from .account import Account
from .base import Row, decider
from .connection import Connection


class Severity(models.TextChoices):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class SyncRunQuerySet(models.QuerySet):
    def of(self, user) -> SyncRunQuerySet:
        """Return the sync runs that `user` may see."""
        return self.filter(seen_by(user, "connection__workspace"))

    def unfinished(self) -> SyncRunQuerySet:
        return self.filter(status__in=SyncRun.UNFINISHED)


class SyncRun(Row):
    """One fetch → validate → reconcile → record of one connection."""

    class Kind(models.TextChoices):
        PERIODIC = "periodic"
        PRE_AUTOMATION = "pre_automation"
        MANUAL = "manual"
        START_UP = "start_up"
        EMERGENCY = "emergency"
        WEBHOOK = "webhook"
        STREAM = "stream"

    class Status(models.TextChoices):
        REQUESTED = "requested"
        RUNNING = "running"
        OK = "ok"
        PARTIAL = "partial"
        FAILED = "failed"

    UNFINISHED = (Status.REQUESTED, Status.RUNNING)
    LEASE = timedelta(seconds=120)  # one unfinished for this long has died

    connection = models.ForeignKey(  # `sync_run_by_time` finds them
        Connection, models.PROTECT, related_name="sync_runs", db_index=False
    )
    kind = models.CharField(max_length=20, choices=Kind)
    status = models.CharField(max_length=10, choices=Status, default=Status.REQUESTED)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
    )
    published_at = models.DateTimeField(null=True, editable=False)
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)
    requests = models.PositiveIntegerField("API calls", default=0)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    # [{"account": external id, "name", "status", "total", "error"}]: read, never queried.
    results = models.JSONField(default=list)
    # How far orders, trades and positions were read; see `accounts.trading.progress`.
    progress = models.JSONField(null=True, editable=False)
    resume_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="From when on anybody may go on reading: the balances are done.",
    )

    objects = SyncRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created"]
        indexes = [
            models.Index(fields=["connection", "-created"], name="sync_run_by_time"),
            # For the newest of all: they lie together, so it is tiny and cheap.
            BrinIndex(fields=["created"], autosummarize=True, name="sync_run_newest"),
            models.Index(
                fields=["requested_by"],
                condition=models.Q(requested_by__isnull=False),
                name="sync_run_by_requester",
            ),
            models.Index(
                fields=["created"],
                condition=models.Q(status__in=["requested", "running"]),
                name="sync_run_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} sync of {self.connection}"


class Correction(Row):
    """What a sync changed and why."""

    class Subject(models.TextChoices):
        ACCOUNT = "account"
        ORDER = "order"
        TRADE = "trade"
        POSITION = "position"

    sync = models.ForeignKey(SyncRun, models.PROTECT, related_name="corrections")
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="corrections"
    )
    subject_kind = models.CharField(
        "about",
        max_length=10,
        choices=Subject,
        default=Subject.ACCOUNT,
        db_default=Subject.ACCOUNT,
    )
    subject_id = models.UUIDField(
        null=True, blank=True, help_text="Which order, trade or position it is about."
    )
    subject = models.CharField(
        max_length=170,
        blank=True,
        db_default="",
        help_text="Its market and its id at the provider.",
    )
    field = models.CharField(max_length=20)
    old = models.TextField(blank=True)
    new = models.TextField(blank=True)
    difference = models.TextField(
        blank=True,
        help_text="In minor units, if an amount of an account; else in whole ones.",
    )
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.INFO)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    subject_kind="account", account__isnull=False, subject_id=None
                )
                | models.Q(
                    ~models.Q(subject_kind="account"),
                    account=None,
                    subject_id__isnull=False,
                ),
                name="correction_of_one_thing",
            )
        ]

    def __str__(self) -> str:
        return f"{self.field}: {self.old} → {self.new}"


class DiscrepancyQuerySet(models.QuerySet):
    def of(self, user) -> DiscrepancyQuerySet:
        """Return the discrepancies that `user` may see."""
        return self.filter(seen_by(user, "account__workspace"))

    def decide(self, outcome: str, user) -> int:
        """Close those that are open as `user` says, and return how many there were."""
        still_open = self.filter(status=Discrepancy.Status.OPEN)
        return still_open.update(status=outcome, decided_by=user, decided_at=now())


class Discrepancy(Row):
    """Two figures that should agree and do not; nothing is corrected silently."""

    class Status(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        IGNORED = "ignored"
        RESOLVED = "resolved"

    account = models.ForeignKey(Account, models.PROTECT, related_name="discrepancies")
    sync = models.ForeignKey(SyncRun, models.PROTECT, null=True, blank=True)
    name = models.CharField(max_length=60)
    subject = models.CharField(
        max_length=100,
        blank=True,
        db_default="",
        help_text="What of the account it is about, such as a transfer's id.",
    )
    expected = MinorUnits(help_text="In minor units.")
    actual = MinorUnits(help_text="In minor units.")
    severity = models.CharField(
        max_length=10, choices=Severity, default=Severity.WARNING
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    last_seen_at = models.DateTimeField()
    protected_at = models.DateTimeField(
        null=True, blank=True, help_text="When it protected its account, once."
    )
    decided_by = decider("Who accepted or ignored it; empty where it agreed by itself.")
    decided_at = models.DateTimeField(null=True, blank=True)

    objects = DiscrepancyQuerySet.as_manager()

    class Meta:
        ordering = ["-created"]
        verbose_name_plural = "discrepancies"
        constraints = [
            models.UniqueConstraint(
                fields=["account", "name", "subject"],
                condition=models.Q(status="open"),
                name="one_open_discrepancy_per_name",
            ),
            models.CheckConstraint(
                condition=is_money("expected") & is_money("actual"),
                name="discrepancy_is_money",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name.replace('_', ' ').capitalize()}: {self.account}"
