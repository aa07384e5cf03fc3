from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils.timezone import now

KEPT = timedelta(days=7)
BATCH = 5_000  # rows deleted by one statement: it has a few seconds


class IdempotencyKeyQuerySet(models.QuerySet):
    def forget_old(self) -> int:
        """Delete what nobody will repeat any more, and return how many rows that were."""
        return delete_in_batches(self.filter(created__lt=now() - KEPT))


def delete_in_batches(old: models.QuerySet) -> int:
    """Delete `old` rows, some thousands a statement, and return how many they were."""
    rows, count = old.model.objects, 0
    while deleted := rows.filter(pk__in=old.values("pk")[:BATCH]).delete()[0]:
        count += deleted
    return count


class IdempotencyKey(models.Model):
    """The stored answer to a POST, scoped to its caller and route."""

    caller = models.CharField(max_length=100)
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)  # null: still running
    body = models.JSONField(null=True)
    replays = models.PositiveIntegerField(default=0)  # answered again so many times
    created = models.DateTimeField(auto_now_add=True, db_index=True)

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["caller", "route", "key"], name="one_answer_per_key"
            )
        ]

    def __str__(self) -> str:
        return self.key
