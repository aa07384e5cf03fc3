from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class Row(models.Model):
    """A row that other systems may name: its id says nothing and cannot be guessed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


def decider(help_text: str) -> models.ForeignKey:
    """Return the column for who decided about a row."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text=help_text,
    )


class Source(models.TextChoices):
    """Where a balance comes from."""

    LIVE = "live"
    STREAM = "stream"
    CACHE = "cache"
    SNAPSHOT = "snapshot"
    MANUAL = "manual"
    IMPORT = "import"  # read from a file: history only, never what is held now
