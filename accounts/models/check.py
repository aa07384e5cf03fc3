"""What is checked in a reading, and from when on a difference counts."""

from __future__ import annotations

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.fields import PlainDecimal
from accounts.validator import ASK, AUTO, NEVER, RULES, USUAL, CheckRow, DriftRow
from accounts.visibility import seen_by

from .account import Account
from .base import Row
from .sync import Severity
from .workspace import Workspace

LARGEST = 10**41  # NaN is larger than that, for PostgreSQL
NOT_BELOW = [MinValueValidator(Decimal(0))]


def whole_units(**more) -> PlainDecimal:
    """Return a column for an amount in whole units of any asset."""
    more = {"validators": NOT_BELOW} | more
    return PlainDecimal(max_digits=60, decimal_places=18, **more)


def percentage(usual: Decimal, **more) -> PlainDecimal:
    return PlainDecimal(
        max_digits=9, decimal_places=4, default=usual, validators=NOT_BELOW, **more
    )


class OfWorkspace(models.QuerySet):
    def of(self, user) -> OfWorkspace:
        """Return the rows that `user` may see."""
        return self.filter(seen_by(user))


class CheckSetting(Row):
    """What a workspace wants of one rule, for all accounts or those of a kind or asset."""

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="check_settings", db_index=False
    )
    rule = models.CharField(
        max_length=30,
        choices=[(r.name, r.label) for r in RULES.values() if r.adjustable],
    )
    kind = models.CharField(
        max_length=30, blank=True, help_text="Of account; empty: every kind."
    )
    asset = models.CharField(
        max_length=20, blank=True, help_text="A code such as GBP; empty: every asset."
    )
    enabled = models.BooleanField(default=True)
    severity = models.CharField(
        max_length=10,
        choices=Severity,
        blank=True,
        help_text="Error and critical put a reading into quarantine. "
        "Empty: what the rule has.",
    )
    threshold = whole_units(
        null=True, blank=True, help_text="Empty: what the rule has."
    )

    objects = OfWorkspace.as_manager()

    class Meta:
        ordering = ["rule", "kind", "asset"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "rule", "kind", "asset"],
                name="one_check_setting_per_kind_and_asset",
            ),
            models.CheckConstraint(
                condition=Q(threshold__isnull=True) | Q(threshold__range=(0, LARGEST)),
                name="check_threshold_is_a_number",
            ),
        ]

    def clean(self) -> None:
        self.validate_constraints()  # also where a form leaves the workspace as it is

    def __str__(self) -> str:
        meant = " ".join(filter(None, [self.kind, self.asset])) or "every account"
        return f"{self.get_rule_display()} ({meant})"

    @property
    def row(self) -> CheckRow:
        """Return what the pure rules make of this."""
        return CheckRow(
            self.rule,
            self.kind,
            self.asset,
            self.enabled,
            self.severity,
            self.threshold,
        )


class DriftSetting(Row):
    """From when on a difference counts for an account, an asset or a whole workspace."""

    class Correction(models.TextChoices):
        AUTO = AUTO, "Take what the provider says"
        ASK = ASK, "Ask a person first"
        NEVER = NEVER, "Keep what is known"

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="drift_settings", db_index=False
    )
    account = models.ForeignKey(
        Account, models.CASCADE, null=True, blank=True, related_name="drift_settings"
    )
    asset = models.CharField(
        max_length=20, blank=True, help_text="A code such as GBP; empty: every asset."
    )
    least = whole_units(
        default=Decimal(0),
        help_text="In whole units. Smaller differences are recorded, and not told.",
    )
    percent = percentage(
        USUAL.percent, help_text="Of what was expected; both must be reached."
    )
    high = percentage(USUAL.high, help_text="Percent from which on it is high.")
    critical = percentage(
        USUAL.critical, help_text="Percent from which on it is critical."
    )
    changes = models.BooleanField(
        default=False,
        help_text="Judge every change of the balance too, not only figures of the "
        "provider that must agree.",
    )
    correction = models.CharField(
        max_length=5,
        choices=Correction,
        default=Correction.AUTO,
        help_text="What becomes of a change that counts.",
    )
    protect = models.BooleanField(
        default=True, help_text="Protect an account that has a critical difference."
    )
    clean_syncs = models.PositiveSmallIntegerField(
        default=USUAL.clean_syncs,
        validators=[MinValueValidator(1)],
        help_text="Syncs without a difference after which it is released.",
    )

    objects = OfWorkspace.as_manager()

    class Meta:
        ordering = ["asset", "created"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "account", "asset"],
                name="one_drift_setting_per_account_or_asset",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(account=None) | Q(asset=""),
                name="drift_setting_is_of_account_or_asset",
            ),
            models.CheckConstraint(
                condition=Q(clean_syncs__gte=1), name="drift_setting_ends_some_day"
            ),
            models.CheckConstraint(
                condition=Q(least__range=(0, LARGEST))
                & Q(percent__range=(0, LARGEST))
                & Q(high__range=(0, LARGEST))
                & Q(critical__range=(0, LARGEST)),
                name="drift_setting_is_numbers",
            ),
        ]

    def __str__(self) -> str:
        return f"Limits of {self.account or self.asset or 'every account'}"

    def clean(self) -> None:
        self.validate_constraints()
        if self.account and self.asset:
            raise ValidationError("An account has its asset already.")
        if self.account and self.account.workspace_id != self.workspace_id:
            raise ValidationError({"account": "It is in another workspace."})

    @property
    def row(self) -> DriftRow:
        """Return what the pure rules make of this."""
        return DriftRow(
            str(self.account_id or ""),
            self.asset,
            self.least,
            self.percent,
            self.high,
            self.critical,
            self.changes,
            self.correction,
            self.protect,
            self.clean_syncs,
        )
