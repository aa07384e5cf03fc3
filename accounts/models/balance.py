from __future__ import annotations

from datetime import timedelta

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.timezone import now

from accounts.fields import MinorUnits, is_money
from accounts.signals import balances_rewritten

from .account import Account
from .base import Source


class BalanceQuerySet(models.QuerySet):
    def update(self, **values) -> int:
        """Change rows, and tell whoever keeps copies of them."""
        accounts = list(self.values_list("pk", flat=True))
        changed = super().update(**values)
        balances_rewritten.send(sender=Balance, accounts=accounts)
        return changed


class Balance(models.Model):
    """The newest accepted reading of an account. No row means unknown, not zero."""

    FRESH_AT_LEAST = timedelta(minutes=15)

    account = models.OneToOneField(
        Account, models.CASCADE, primary_key=True, related_name="balance"
    )
    total = MinorUnits()
    available = MinorUnits()
    held = MinorUnits(default=0)
    as_of = models.DateTimeField()
    fetched_at = models.DateTimeField(help_text="When it was last confirmed.")
    source = models.CharField(max_length=10, choices=Source, default=Source.LIVE)
    error = models.TextField(blank=True, help_text="Why the newest try failed.")
    error_at = models.DateTimeField(null=True, blank=True)
    distrusted = models.BooleanField(
        default=False,
        db_default=False,
        help_text="A later reading is in quarantine: no rule acts on this one.",
    )

    objects = BalanceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=is_money("total")
                & is_money("available")
                & is_money("held", least=0),
                name="balance_is_money",
            )
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.account.unit.major(self.total)}"

    @property
    def trouble(self) -> str:
        """Why a younger balance than this should be known; nothing where none should."""
        return self.error or (
            "A later reading is in quarantine" if self.distrusted else ""
        )

    def is_overdue(self, interval: timedelta) -> bool:
        """Say whether syncs should have confirmed it since; typed ones only age."""
        if self.source == Source.MANUAL:
            return False
        return now() - self.fetched_at > max(self.FRESH_AT_LEAST, 2 * interval)


class BalanceSnapshotQuerySet(models.QuerySet):
    def heard(self) -> BalanceSnapshotQuerySet:
        """Return what a provider or a person said then: no rule acts on a file."""
        return self.exclude(source=Source.IMPORT)


class BalanceSnapshot(models.Model):
    """A past balance, never changed: the database refuses UPDATE and DELETE.

    The table is partitioned by month; its key there is the account and the moment, and
    `id` is a number that forms and pages can name. A foreign key would be looked up for
    each row, and keep accounts locked while a month is added: a trigger guards instead.
    """

    account = models.ForeignKey(  # `one_snapshot_per_moment` finds them
        Account,
        models.PROTECT,
        related_name="snapshots",
        db_index=False,
        db_constraint=False,
    )
    total = MinorUnits()
    available = MinorUnits()
    held = MinorUnits(default=0)
    as_of = models.DateTimeField()
    source = models.CharField(max_length=10, choices=Source, default=Source.LIVE)
    origin = models.CharField(
        max_length=10,
        choices=Source,
        null=True,
        editable=False,
        help_text="Of an imported one: the source that its file names.",
    )

    objects = BalanceSnapshotQuerySet.as_manager()

    class Meta:
        ordering = ["-as_of"]
        indexes = [
            # Rows come in the order of both, so a few bytes for many pages find them.
            BrinIndex(
                fields=["id", "as_of"],
                name="snapshot_by_id_or_time",
                autosummarize=True,
                pages_per_range=16,
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "as_of"], name="one_snapshot_per_moment"
            ),
            models.CheckConstraint(
                condition=is_money("total")
                & is_money("available")
                & is_money("held", least=0),
                name="snapshot_is_money",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} at {self.as_of:%Y-%m-%d %H:%M:%S}"
