from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import Row, Transaction

from .rule import Rule
from .transfer import Transfer


class CoverQuerySet(models.QuerySet):
    def standing(self) -> CoverQuerySet:
        """Return those whose money moved, or still may; the others are void."""
        void = [Transfer.Status.REFUSED, Transfer.Status.REVERSED]
        return self.exclude(Q(transfer__status__in=[*void, Transfer.Status.EXPIRED]))


class Cover(Row):
    """A transaction that a transfer makes good, once per rule: rounded up, replenished."""

    rule = models.ForeignKey(Rule, models.CASCADE, related_name="covers")
    transaction = models.ForeignKey(Transaction, models.CASCADE, related_name="+")
    transfer = models.ForeignKey(Transfer, models.CASCADE, related_name="covers")

    objects = CoverQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "transaction"], name="covered_once_per_rule"
            )
        ]

    def __str__(self) -> str:
        return f"{self.transaction} by {self.transfer_id}"
