"""Who changed what, when and why: written with the change, never altered, sealed in a chain."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from accounts.visibility import seen_by

from .workspace import Workspace


class AuditEventQuerySet(models.QuerySet):
    def of(self, user) -> AuditEventQuerySet:
        """Return what `user` may read: of their workspaces, and of no other."""
        return self.filter(seen_by(user))


class AuditEvent(models.Model):
    """One change or decision; the database refuses to alter or forget it.

    Amounts in `old` and `new` are strings of minor units; secrets are never there.
    """

    class Via(models.TextChoices):
        ADMIN = "admin"
        API = "api"
        COMMAND = "command"
        JOB = "job"
        DATABASE = "database"  # none of balsync's own processes

    # What is told outlives whom it tells of: nothing here points at rows for good.
    workspace = models.ForeignKey(
        Workspace,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
        help_text="Empty: it concerns the whole installation.",
    )
    created = models.DateTimeField(db_default=Now())
    via = models.CharField(max_length=10, choices=Via)
    user_id = models.BigIntegerField("user", null=True)
    actor = models.CharField(
        max_length=200, help_text="A user's name then, a command, or a job."
    )
    key_id = models.UUIDField("signing key", null=True)
    action = models.CharField(max_length=60)
    object_kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    old = models.JSONField(default=dict, help_text="What was, of what changed.")
    new = models.JSONField(default=dict, help_text="What is, of what changed.")
    reason = models.TextField()
    request_id = models.CharField(max_length=64)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["workspace", "-created"], name="audit_by_time"),
            models.Index(
                fields=["object_kind", "object_id", "id"], name="audit_by_object"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"


class AuditSeal(models.Model):
    """A link of the chain: the hash of one event and of the link before it."""

    position = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(
        AuditEvent, models.DO_NOTHING, db_constraint=False, related_name="seal"
    )
    hash = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.position}: {self.hash}"


class AuditWaiting(models.Model):
    """An event that is in no link yet; the database notes each as it is written.

    Transactions commit in another order than they count: what is found here is what is
    there, however late it came.
    """

    event = models.OneToOneField(
        AuditEvent,
        models.DO_NOTHING,
        primary_key=True,
        db_constraint=False,
        related_name="+",
    )

    def __str__(self) -> str:
        return str(self.event_id)
