from __future__ import annotations

from collections.abc import Iterable

from django.db import models
from django.db.models import Q

from accounts.fields import MinorUnits
from accounts.models import Account, Row, Workspace
from accounts.visibility import seen_by


class RuleQuerySet(models.QuerySet):
    def of(self, user) -> RuleQuerySet:
        """Return the rules that `user` may see."""
        return self.filter(seen_by(user))

    def in_use(self) -> RuleQuerySet:
        return self.filter(archived_at=None)


class Rule(Row):
    """What the owner wants done with money of one asset."""

    class Kind(models.TextChoices):
        SWEEP = "sweep"
        AUTOSORT = "autosort"
        TOPUP = "topup"

    class Rest(models.TextChoices):
        REDISTRIBUTE = "redistribute"
        KEEP = "keep"

    class OnStale(models.TextChoices):
        SKIP = "skip"
        ASK = "ask"
        USE_FLOOR = "use_floor"

    class OnShort(models.TextChoices):
        REFUSE = "refuse"
        PARTIAL = "partial"
        RETRY_NEXT = "retry_next"

    class Approval(models.TextChoices):
        NEVER = "never"
        FIRST = "first"  # until one of its runs has succeeded
        ALWAYS = "always"

    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="rules")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=Kind)
    asset = models.CharField(max_length=24)
    enabled = models.BooleanField(default=True)
    priority = models.PositiveIntegerField(default=100, help_text="Lower goes first.")
    timezone = models.CharField(max_length=60, default="Europe/London")
    rest = models.CharField(max_length=20, choices=Rest, default=Rest.REDISTRIBUTE)
    on_stale = models.CharField(max_length=20, choices=OnStale, default=OnStale.SKIP)
    on_short = models.CharField(
        max_length=20, choices=OnShort, blank=True, help_text="Empty: as the kind does."
    )
    max_staleness_seconds = models.PositiveIntegerField(default=300)
    max_lateness_seconds = models.PositiveIntegerField(default=21600)
    cooldown_seconds = models.PositiveIntegerField(default=0)
    plan_ttl_seconds = models.PositiveIntegerField(default=21600)
    notice_seconds = models.PositiveIntegerField(
        default=0,
        help_text="How long a plan may be cancelled before it is carried out.",
    )
    approval = models.CharField(max_length=10, choices=Approval, default=Approval.NEVER)
    tolerance = MinorUnits(
        null=True,
        blank=True,
        help_text="By how much a move may differ from the plan that was approved.",
    )
    conditions = models.JSONField(null=True, blank=True)
    pay_cycle = models.JSONField(
        null=True, blank=True, help_text='{"day": 25}, {"day": "last"}, {"trigger": 0}'
    )
    depends_on = models.ManyToManyField(
        "self", symmetrical=False, blank=True, related_name="dependents"
    )
    round_to = MinorUnits(null=True, blank=True)
    min_move = MinorUnits(null=True, blank=True)
    per_move = MinorUnits(null=True, blank=True)
    per_run = MinorUnits(null=True, blank=True)
    per_day = MinorUnits(null=True, blank=True)
    per_rule = MinorUnits(null=True, blank=True)
    next_due_at = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    updated = models.DateTimeField(auto_now=True)

    objects = RuleQuerySet.as_manager()

    class Meta:
        ordering = ["priority", "name"]
        indexes = [
            models.Index(
                fields=["next_due_at"],
                condition=Q(enabled=True, archived_at=None),
                name="rule_due",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def all_legs(self) -> Iterable[RuleLeg]:
        """Return the legs in order; to ask Django each time costs much, even of known ones."""
        known = self.__dict__.get("_prefetched_objects_cache", {}).get("legs")
        return self.legs.all() if known is None else known

    def know(self, legs: Iterable[RuleLeg]) -> None:
        """Take `legs` for all that there are, as if they had been read with the rule."""
        ordered = sorted(legs, key=lambda leg: (leg.order, leg.created))
        self._prefetched_objects_cache = {"legs": ordered}


class RuleLeg(Row):
    """One line of a rule: an account, its part in it, and how much."""

    class Accounts(models.TextChoices):
        ALL_WITH_GOAL = "all_with_goal"  # every pot around the source that has a goal

    rule = models.ForeignKey(Rule, models.CASCADE, related_name="legs")
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="+"
    )
    accounts = models.CharField(max_length=20, choices=Accounts, blank=True)
    role = models.CharField(max_length=20)
    order = models.PositiveIntegerField(default=0)
    strategy = models.CharField(max_length=20, blank=True)
    amount = MinorUnits(null=True, blank=True)
    share = models.DecimalField(max_digits=19, decimal_places=18, null=True, blank=True)
    keep = MinorUnits(null=True, blank=True)
    keep_share = models.DecimalField(
        max_digits=19, decimal_places=18, null=True, blank=True
    )
    floor = MinorUnits(null=True, blank=True)
    target = MinorUnits(null=True, blank=True)
    cap = MinorUnits(null=True, blank=True)
    max_share = models.DecimalField(
        max_digits=19, decimal_places=18, null=True, blank=True
    )
    min_move = MinorUnits(null=True, blank=True)
    low = MinorUnits(null=True, blank=True)
    high = MinorUnits(null=True, blank=True)
    due = models.DateField(null=True, blank=True)
    unit = MinorUnits(null=True, blank=True)
    multiplier = models.PositiveSmallIntegerField(null=True, blank=True)
    since = models.DateTimeField(
        null=True, blank=True, help_text="Older payments are not rounded up."
    )

    class Meta:
        ordering = ["order", "created"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "account"], name="one_leg_per_account"
            ),
            models.CheckConstraint(
                condition=Q(account__isnull=False, accounts="")
                | Q(account__isnull=True) & ~Q(accounts=""),
                name="leg_names_one_or_many",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.account}"


class Trigger(Row):
    """What makes a rule due. Fields that a kind does not know stay empty."""

    class Kind(models.TextChoices):
        MANUAL = "manual"
        API = "api"
        CRON = "cron"
        MONTHLY = "monthly"
        WEEKLY = "weekly"
        DAILY = "daily"
        HOURLY = "hourly"
        INTERVAL = "interval"
        DATE_RANGE = "date_range"
        PAYDAY = "payday"
        BALANCE = "balance"
        TRANSACTION = "transaction"
        WEBHOOK = "webhook"
        AFTER_RULE = "after_rule"

    BY_HAND = (Kind.MANUAL, Kind.API)  # somebody waits, and can simply ask again

    rule = models.ForeignKey(Rule, models.CASCADE, related_name="triggers")
    kind = models.CharField(max_length=20, choices=Kind)
    expression = models.CharField(max_length=100, blank=True)
    day = models.CharField(max_length=4, blank=True, help_text="1–31, or last")
    weekday = models.PositiveSmallIntegerField(null=True, blank=True)
    nth = models.CharField(max_length=4, blank=True, help_text="1–5, or last")
    hour = models.PositiveSmallIntegerField(default=9)
    minute = models.PositiveSmallIntegerField(default=0)
    minutes = models.PositiveIntegerField(null=True, blank=True)
    anchor = models.DateTimeField(null=True, blank=True)
    business_day = models.CharField(max_length=10, default="none")
    calendar = models.CharField(max_length=20, blank=True)
    min_amount = MinorUnits(null=True, blank=True)
    max_amount = MinorUnits(null=True, blank=True)
    pattern = models.CharField(max_length=200, blank=True)
    merchant = models.CharField(max_length=200, blank=True)
    category = models.CharField(max_length=60, blank=True)
    look_back_days = models.PositiveSmallIntegerField(default=3)
    cooldown_days = models.PositiveSmallIntegerField(default=7)
    start_day = models.PositiveSmallIntegerField(null=True, blank=True)
    end_day = models.PositiveSmallIntegerField(null=True, blank=True)
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="+"
    )
    above = MinorUnits(null=True, blank=True)
    below = MinorUnits(null=True, blank=True)
    rearm = MinorUnits(null=True, blank=True)
    armed = models.BooleanField(
        default=True, help_text="Whether a balance beyond the threshold fires it."
    )
    upstream = models.ForeignKey(
        Rule, models.PROTECT, null=True, blank=True, related_name="followers"
    )
    min_moved = MinorUnits(null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(
        null=True, blank=True, help_text="Up to when it has been looked at."
    )
    last_fired_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When what it saw happened, if the run succeeded.",
    )
    problem = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="Why it cannot be read any more; empty while it can.",
    )

    class Meta:
        ordering = ["created"]
        indexes = [
            models.Index(
                fields=["next_at"],
                condition=Q(next_at__isnull=False),
                name="trigger_due",
            )
        ]

    def __str__(self) -> str:
        return self.kind
