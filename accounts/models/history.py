"""What past balances leave behind: the figures of each day, and the names of snapshots."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from accounts.fields import ExactSum, MinorUnits

from .account import Account


class BalanceDay(models.Model):
    """What an account held on one day (UTC), kept by the database with every snapshot.

    Amounts are minor units. The sums run from the first to the last change of the day,
    in µs since the day began; with them a trend over days is as exact as over snapshots.
    """

    pk = models.CompositePrimaryKey("account", "day")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    account = models.ForeignKey(
        Account,
        models.PROTECT,
        related_name="days",
        db_index=False,
        db_constraint=False,  # the trigger writes them, and `history_stays` guards them
    )
    day = models.DateField()
    count = models.IntegerField(help_text="Snapshots of that day.")
    first = MinorUnits()
    last = MinorUnits()
    lowest = MinorUnits()
    highest = MinorUnits()
    area = ExactSum(help_text="Sum over time of the amount.")
    distance = ExactSum(help_text="Sum over time of its distance from zero.")
    squares = ExactSum(help_text="Sum over time of its square.")
    moments = ExactSum(help_text="Sum of the amount times the growth of time squared.")

    class Meta:
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.account_id} on {self.day}"


class SnapshotKey(models.Model):
    """A name for a snapshot that others gave: a client's key, or the provider's own id.

    A client's key counts for that client and account alone, a provider's id for the
    account, and so for its connection. It stands for the snapshot as long as that is
    kept.
    """

    class Scope(models.TextChoices):
        CLIENT = "client"
        PROVIDER = "provider"

    created = models.DateTimeField(auto_now_add=True)
    as_of = models.DateTimeField()
    account = models.ForeignKey(
        Account, models.PROTECT, related_name="snapshot_keys", db_index=False
    )
    scope = models.CharField(max_length=10, choices=Scope)
    client = models.CharField(max_length=100, blank=True)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(
        max_length=64, help_text="Of the request, or of the figures that it names."
    )
    replays = models.PositiveIntegerField(default=0)  # asked again so many times
    superseded_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when its chain has another block there."
    )

    class Meta:
        ordering = ["-created"]
        indexes = [
            BrinIndex(
                fields=["created"], name="snapshot_key_newest", autosummarize=True
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "client", "key"],
                condition=Q(scope="client"),
                name="one_snapshot_per_client_key",
            ),
            models.UniqueConstraint(
                fields=["account", "key"],
                condition=Q(scope="provider"),
                name="one_snapshot_per_provider_id",
            ),
        ]

    def __str__(self) -> str:
        return self.key
