from __future__ import annotations

from django.db import models

from accounts.models import Row, Transaction

from .rule import Rule
from .transfer import Transfer


class Cover(Row):
    """A transaction that a transfer is to make good, once per rule: rounded up, replenished.

    Where it moved less than all that it covers, transfers that follow move the rest.
    """

    rule = models.ForeignKey(Rule, models.CASCADE, related_name="covers")
    transaction = models.ForeignKey(Transaction, models.CASCADE, related_name="+")
    transfer = models.ForeignKey(Transfer, models.CASCADE, related_name="covers")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "transaction"], name="covered_once_per_rule"
            )
        ]

    def __str__(self) -> str:
        return f"{self.transaction} by {self.transfer_id}"
