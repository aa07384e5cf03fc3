from __future__ import annotations

from django.conf import settings
from django.db import models

from accounts.visibility import narrowed_to, seen_by

from .base import Row


class WorkspaceQuerySet(models.QuerySet):
    def of(self, user) -> WorkspaceQuerySet:
        """Return the workspaces that `user` is a member of."""
        return self.filter(seen_by(user, ""))


class Workspace(Row):
    """Who owns rows: one person, a couple, a firm."""

    name = models.CharField(max_length=100, unique=True)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="workspaces"
    )
    paused_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when no rule moves money here."
    )
    base_asset = models.CharField(
        "base currency",
        max_length=24,
        blank=True,
        db_default="",
        default="",
        help_text="What totals are in, such as GBP/2. Empty: what most accounts hold.",
    )
    dry_run = models.BooleanField(
        default=False, help_text="Rules plan and explain, and move nothing."
    )

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class MembershipQuerySet(models.QuerySet):
    def of(self, user) -> MembershipQuerySet:
        """Return what `user` is where, in the workspaces they see."""
        only = narrowed_to(user)
        rows = self.filter(user=user)
        return rows if only is None else rows.filter(workspace=only)


class Membership(models.Model):
    """What one user may do in one workspace."""

    class Role(models.TextChoices):
        VIEWER = "viewer"
        OPERATOR = "operator"
        ADMIN = "admin"

    RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "user"], name="one_membership_per_user"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace} ({self.role})"

    def may(self, role: str) -> bool:
        """Return whether this membership is at least `role`."""
        return self.RANK[self.role] >= self.RANK[role]
