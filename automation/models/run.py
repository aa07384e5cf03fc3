from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.timezone import localtime

from accounts.fields import MinorUnits
from accounts.models import Row
from accounts.visibility import seen_by

from .rule import Rule, Trigger


class RuleRunQuerySet(models.QuerySet):
    def of(self, user) -> RuleRunQuerySet:
        """Return the runs that `user` may see."""
        return self.filter(seen_by(user, "rule__workspace"))

    def unfinished(self) -> RuleRunQuerySet:
        return self.filter(status__in=RuleRun.UNFINISHED)


class RuleRun(Row):
    """One occurrence of a rule. The key makes asking twice the same as asking once."""

    class Status(models.TextChoices):
        DUE = "due"  # committed, not planned yet
        PLANNED = "planned"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        PARTIAL = "partial"
        FAILED = "failed"
        STRANDED = "stranded"
        CANCELLED = "cancelled"
        NOTIFIED = "notified"
        AWAITING_APPROVAL = "awaiting_approval"
        MISSED = "missed"
        QUARANTINED = "quarantined"
        NOTHING_TO_DO = "nothing_to_do"
        SKIPPED_DISABLED = "skipped_disabled"
        SKIPPED_NOT_DUE = "skipped_not_due"
        SKIPPED_CONDITION = "skipped_condition"
        SKIPPED_STALE = "skipped_stale"
        SKIPPED_PROTECTED = "skipped_protected"
        SKIPPED_CLOSED = "skipped_closed"
        SKIPPED_FUNDS = "skipped_funds"
        SKIPPED_LIMIT = "skipped_limit"
        SKIPPED_DUPLICATE = "skipped_duplicate"

    UNFINISHED = (
        Status.DUE,
        Status.NOTIFIED,
        Status.AWAITING_APPROVAL,
        Status.PLANNED,
        Status.RUNNING,
    )
    # Over, and nothing came of them.
    IDLE = (
        Status.MISSED,
        Status.NOTHING_TO_DO,
        Status.SKIPPED_DISABLED,
        Status.SKIPPED_NOT_DUE,
        Status.SKIPPED_CONDITION,
        Status.SKIPPED_STALE,
        Status.SKIPPED_PROTECTED,
        Status.SKIPPED_CLOSED,
        Status.SKIPPED_FUNDS,
        Status.SKIPPED_LIMIT,
        Status.SKIPPED_DUPLICATE,
    )

    # Its indexes begin with the rule already.
    rule = models.ForeignKey(Rule, models.PROTECT, related_name="runs", db_index=False)
    trigger = models.ForeignKey(
        Trigger,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    trigger_kind = models.CharField(max_length=20)
    key = models.CharField(max_length=200)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    scheduled_for = models.DateTimeField()
    status = models.CharField(max_length=20, choices=Status, default=Status.DUE)
    reason = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    wanted_hash = models.CharField(
        max_length=64, blank=True, help_text="The plan that somebody saw and wants."
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    notice_until = models.DateTimeField(null=True, blank=True)
    amount = MinorUnits(
        null=True, blank=True, help_text="Of the transaction that made it due."
    )
    happened_at = models.DateTimeField(
        null=True, blank=True, help_text="When that transaction was made."
    )
    dry = models.BooleanField(
        default=False, help_text="Planned to be looked at: nothing was moved."
    )
    planned_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    plan_hash = models.CharField(max_length=64, blank=True)
    outcome = models.CharField(max_length=20, blank=True)
    readings = models.JSONField(default=list)
    moves = models.JSONField(default=list)
    trace = models.JSONField(default=list)

    # No columns: whether whoever carries it out has moved money just now, and who, of
    # transfers and runs, waits for it since it succeeded; None: that is still to be asked.
    moved = False
    waiting: list[tuple[UUID, UUID | None]] | None = None

    objects = RuleRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "key"], name="one_run_per_key")
        ]
        indexes = [
            BrinIndex(fields=["created"], autosummarize=True, name="run_newest"),
            models.Index(
                fields=["rule", "next_attempt_at"],
                condition=Q(
                    status__in=[
                        "due",
                        "notified",
                        "awaiting_approval",
                        "planned",
                        "running",
                    ]
                ),
                name="run_unfinished",
            ),
            models.Index(fields=["rule", "scheduled_for"], name="run_by_occurrence"),
            # A change of any column that an index looks at is written to each that the
            # row stands in, and most runs are nobody's.
            *(
                models.Index(
                    fields=[name],
                    condition=Q(**{f"{name}__isnull": False}),
                    name=f"run_by_{name}",
                )
                for name in ("trigger", "requested_by", "approved_by")
            ),
        ]

    @property
    def salary_at(self) -> datetime | None:
        """Return when the salary came in that made it due; any other is no payday."""
        other = self.trigger_kind == Trigger.Kind.TRANSACTION
        return None if other else self.happened_at

    def __str__(self) -> str:
        return f"{self.rule}, {localtime(self.created):%d %b %Y, %H:%M}"
