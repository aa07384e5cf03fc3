from __future__ import annotations

from django.db import models

from accounts.fields import MinorUnits, is_money

from .account import Account


class Transaction(models.Model):
    """A movement the provider reports; money that left is negative."""

    account = models.ForeignKey(  # `transaction_by_time` finds them
        Account, models.PROTECT, related_name="transactions", db_index=False
    )
    external_id = models.CharField(max_length=100)
    amount = MinorUnits()
    asset = models.CharField(max_length=24)
    created = models.DateTimeField()
    settled = models.DateTimeField(null=True, blank=True)
    declined = models.CharField(max_length=60, blank=True)
    description = models.CharField(max_length=300, blank=True)
    counterparty = models.CharField(max_length=200, blank=True)
    merchant = models.CharField(max_length=200, blank=True)
    category = models.CharField(max_length=60, blank=True)
    pot = models.CharField(max_length=100, blank=True)
    dedupe_id = models.CharField(max_length=100, blank=True)
    metadata = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-created", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "external_id"], name="one_transaction_per_id"
            ),
            models.CheckConstraint(
                condition=is_money("amount"), name="transaction_is_money"
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-created"], name="transaction_by_time"),
            models.Index(
                fields=["dedupe_id"],
                condition=~models.Q(dedupe_id=""),
                name="transaction_by_dedupe_id",
            ),
        ]

    def __str__(self) -> str:
        return self.external_id
