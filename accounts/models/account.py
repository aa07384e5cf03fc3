from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q

from accounts.fields import MinorUnits, is_money
from accounts.visibility import seen_by
from providers.money import Asset

from .base import Row
from .connection import Connection
from .workspace import Workspace

LEAST_KEPT_DAYS = 31  # rules look back over 30 days
MOST_DAYS = 32_767


class AccountQuerySet(models.QuerySet):
    def of(self, user) -> AccountQuerySet:
        """Return the accounts that `user` may see."""
        return self.filter(seen_by(user))

    def open(self) -> AccountQuerySet:
        return self.filter(closed_at=None)

    def counted(self) -> AccountQuerySet:
        """Return what totals add up: a joint account connected twice counts once."""
        return self.open().filter(automates=True, active=True)

    def hand_over(self) -> None:
        """Let each of these be automated where another connection in use still sees it.

        What nobody else sees stays with who had it.
        """
        ours = self.filter(automates=True)
        same = ours.filter(
            provider=OuterRef("provider"), external_id=OuterRef("external_id")
        )
        others = self.model.objects.open().filter(
            Exists(same), automates=False, connection__archived_at=None
        )
        key = ("provider", "external_id")
        heirs = list(others.order_by(*key, "created").distinct(*key))
        for heir in heirs:  # few, and one place at a time is what the constraint allows
            about = {"provider": heir.provider, "external_id": heir.external_id}
            ours.filter(**about).update(automates=False)
            self.model.objects.filter(pk=heir.pk).update(automates=True)


class Account(Row):
    """Anything that holds exactly one asset. A pot is an account inside an account."""

    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="accounts")
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="accounts")
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="pots"
    )
    provider = models.SlugField(max_length=40)
    external_id = models.CharField(max_length=100)
    name = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=30, default="current")
    role = models.CharField(max_length=30, blank=True)
    category = models.CharField(max_length=30, blank=True)
    asset = models.CharField(max_length=24)
    goal = MinorUnits(null=True, blank=True)
    active = models.BooleanField(default=True, help_text="Synced and shown.")
    automates = models.BooleanField(
        default=True, help_text="False where another connection automates it already."
    )
    can_send = models.BooleanField(default=True)
    can_receive = models.BooleanField(default=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    protected_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when no rule moves money in or out."
    )
    protected_reason = models.CharField(
        max_length=200,
        blank=True,
        db_default="",
        help_text="What drift was found; empty where a person protects it.",
    )
    clean_syncs_left = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Syncs without a difference until it is released; empty: a person "
        "releases it.",
    )
    missing_since = models.DateTimeField(null=True, blank=True)
    missing_reads = models.PositiveSmallIntegerField(default=0)
    movements_cursor = models.CharField(max_length=200, blank=True)
    movements_read_at = models.DateTimeField(null=True, blank=True)
    keep_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_KEPT_DAYS), MaxValueValidator(MOST_DAYS)],
        help_text="Of older days only the figures stay, not every snapshot; empty: "
        "every snapshot stays.",
    )
    days_only_until = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Before this moment the history is known by the day.",
    )

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["provider", "name", "created"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "external_id"], name="one_account_per_external_id"
            ),
            models.UniqueConstraint(
                fields=["provider", "external_id"],
                condition=Q(automates=True),
                name="one_automating_account",
            ),
            models.CheckConstraint(
                condition=is_money("goal", least=0), name="account_goal_is_money"
            ),
            models.CheckConstraint(
                condition=Q(keep_days=None) | Q(keep_days__gte=LEAST_KEPT_DAYS),
                name="rules_see_enough_history",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id

    @property
    def unit(self) -> Asset:
        return Asset.parse(self.asset)


class PotManager(models.Manager.from_queryset(AccountQuerySet)):
    def get_queryset(self):
        return super().get_queryset().filter(parent__isnull=False)


class Pot(Account):
    """An account inside an account."""

    objects = PotManager()

    class Meta:
        proxy = True
