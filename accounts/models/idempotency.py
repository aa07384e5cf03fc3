from __future__ import annotations

from django.db import models


class IdempotencyKey(models.Model):
    """The stored answer to a POST, scoped to its caller and route."""

    caller = models.CharField(max_length=100)
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)  # null: still running
    body = models.JSONField(null=True)
    created = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["caller", "route", "key"], name="one_answer_per_key"
            )
        ]

    def __str__(self) -> str:
        return self.key
