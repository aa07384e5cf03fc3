"""What only a chain tells of an account: at which block, and who may take from it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.fields import MinorUnits, is_money

from .account import Account


class ChainState(models.Model):
    """The final block that an account's newest figures are of, and what is not final yet."""

    account = models.OneToOneField(
        Account, models.CASCADE, primary_key=True, related_name="chain"
    )
    number = models.BigIntegerField("block")
    hash = models.CharField("block hash", max_length=80)
    read_at = models.DateTimeField(help_text="When the chain was asked.")
    unconfirmed = MinorUnits(
        null=True, blank=True, help_text="The total with what is not final yet."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=is_money("unconfirmed"), name="unconfirmed_is_money"
            )
        ]

    def __str__(self) -> str:
        return f"block {self.number}"


class Allowance(models.Model):
    """How much somebody else may take out of an account, as its chain says."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="allowances")
    spender = models.CharField(max_length=100)
    name = models.CharField(max_length=100, blank=True)
    amount = MinorUnits()
    unlimited = models.BooleanField(default=False)
    read_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "spender"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "spender"], name="one_allowance_per_spender"
            ),
            models.CheckConstraint(
                condition=is_money("amount", least=0) & Q(amount__isnull=False),
                name="allowance_is_money",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.spender
