from __future__ import annotations

from django.conf import settings
from django.db import models

from accounts.models import Row

from .transfer import Transfer


class Resolution(Row):
    """What a person decided about a transfer; the database never changes or forgets it."""

    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="resolutions")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="resolutions"
    )
    happened = models.BooleanField()
    reference = models.CharField(max_length=100, blank=True)
    note = models.CharField(max_length=500, blank=True)
    status_before = models.CharField(max_length=10, choices=Transfer.Status)
    status_after = models.CharField(max_length=10, choices=Transfer.Status)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        word = "It happened" if self.happened else "It did not happen"
        return f"{word}: {self.transfer_id}"
