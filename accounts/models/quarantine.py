"""Readings that were not believed, kept with their figures."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from accounts.fields import MinorUnits, is_money
from accounts.validator import RULES
from accounts.visibility import seen_by

from .account import Account
from .base import Row, decider
from .connection import Connection
from .sync import Severity, SyncRun


class QuarantinedReadingQuerySet(models.QuerySet):
    def of(self, user) -> QuarantinedReadingQuerySet:
        """Return what of quarantine `user` may see."""
        return self.filter(seen_by(user, "connection__workspace"))

    def waiting(self) -> QuarantinedReadingQuerySet:
        return self.filter(status=QuarantinedReading.Status.OPEN)

    def decide(self, outcome: str, user, reason: str) -> int:
        """Close those that are open as `user` says, and return how many there were."""
        return self.waiting().update(
            status=outcome, decided_by=user, decided_at=now(), reason=reason
        )


class QuarantinedReading(Row):
    """A reading that a rule does not believe: kept with its figures, never served."""

    class Status(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        RELEASED = "released"

    # What `external_id` says of findings that are about no account.
    ORDERS, POSITIONS, TRADE = "trading:orders", "trading:positions", "trading:trade "

    connection = models.ForeignKey(  # the constraint finds them
        Connection, models.PROTECT, related_name="quarantine", db_index=False
    )
    account = models.ForeignKey(
        Account,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="quarantine",
        help_text="Empty: a whole answer.",
    )
    sync = models.ForeignKey(SyncRun, models.PROTECT, related_name="quarantine")
    external_id = models.CharField(max_length=100, blank=True)
    rule = models.CharField(
        max_length=30, choices=[(rule.name, rule.label) for rule in RULES.values()]
    )
    severity = models.CharField(max_length=10, choices=Severity)
    text = models.TextField(help_text="What is wrong.")
    total = MinorUnits(null=True, blank=True)
    available = MinorUnits(null=True, blank=True)
    held = MinorUnits(null=True, blank=True)
    as_of = models.DateTimeField(null=True, blank=True)
    fetched_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=10, blank=True)
    raw = models.JSONField(default=dict, help_text="The figures as they came.")
    seen = models.PositiveIntegerField(default=1, help_text="Syncs that said so.")
    last_seen_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    decided_by = decider("Who accepted it; empty where a good reading released it.")
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True, help_text="Why so.")

    objects = QuarantinedReadingQuerySet.as_manager()

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "external_id", "rule"],
                condition=Q(status="open"),
                name="one_open_quarantine_per_rule",
            ),
            models.CheckConstraint(
                condition=is_money("total") & is_money("available") & is_money("held"),
                name="quarantined_reading_is_money",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_rule_display()}: {self.account or self.connection}"

    @property
    def names_the_gone(self) -> bool:
        """Say whether it is about orders or positions that are gone at once."""
        return self.external_id in (self.ORDERS, self.POSITIONS)

    @property
    def can_be_accepted(self) -> bool:
        """Say whether there is anything in it that a person may believe."""
        has_figures = self.account_id is not None and self.total is not None
        return self.status == self.Status.OPEN and (has_figures or self.names_the_gone)
