from __future__ import annotations

from datetime import UTC, datetime

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import OuterRef, Q, Subquery, Sum, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce

from accounts.fields import MinorUnits
from accounts.models import Account
from accounts.visibility import seen_by
from providers.money import LARGEST

from .rule import Rule
from .run import RuleRun

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
OPEN = Q(status__in=["pending", "sending", "unknown"])


class TransferQuerySet(models.QuerySet):
    def of(self, user) -> TransferQuerySet:
        """Return the transfers that `user` may see."""
        return self.filter(seen_by(user, "run__rule__workspace"))

    def unsettled(self) -> TransferQuerySet:
        return self.filter(settled_at=None)

    def standing(self) -> TransferQuerySet:
        """Return those whose money moved, or still may; the others are void."""
        return self.exclude(status__in=Transfer.VOID)

    def coming(self) -> TransferQuerySet:
        """Return those that may still be sent.

        What waits for a person is not, and balances show whether it was.
        """
        return self.unsettled().filter(needs_person=False)

    def uncertain(self) -> TransferQuerySet:
        """Return those that may be moving the money just now."""
        return self.unsettled().filter(
            status__in=[Transfer.Status.SENDING, Transfer.Status.UNKNOWN]
        )

    def moved_by(self, rule: Rule) -> TransferQuerySet:
        """Return what counts as moved by `rule`: each move once, the unclear too.

        A move over two steps counts by the step that begins it. Its money is gone from
        the source until it is brought back, and then that step is reversed.
        """
        gone = Q(settled_at=None) | Q(status=Transfer.Status.DONE)
        return self.filter(gone, run__rule=rule, step=0)

    def arrived(self) -> TransferQuerySet:
        """Return what ended a move: of a move over two steps that is the second."""
        return self.filter(status=Transfer.Status.DONE, step__lt=2, dependents=None)

    def sum_leaving(self, account: str, as_of: str) -> CombinedExpression:
        """Return, for a query, how much of this a reading may not show as gone yet.

        The reading is that of `as_of`, of the account in column `account`. Two sums, of
        which an index finds each: asked for as one, all that has ever left the account
        may be read. It may also where no end of the range is told: PostgreSQL expects a
        third of all rows beyond a moment that it does not know, and few between two. The
        function `automation_leaving` in the database says the same.
        """
        late = self.filter(
            status=Transfer.Status.DONE,
            settled_at__gt=OuterRef(as_of),
            settled_at__lt=NEVER,
        )
        return self.unsettled().sum_out_of(account) + late.sum_out_of(account)

    def sum_out_of(self, account: str) -> Coalesce:
        """Return, for a query, how much of this leaves the account in column `account`."""
        return self.sum_at("source", account)

    def sum_into(self, account: str) -> Coalesce:
        """Return, for a query, how much of this comes to the account in column `account`."""
        return self.sum_at("target", account)

    def sum_of(self, run: str) -> Coalesce:
        """Return, for a query, how much of this belongs to the run in column `run`."""
        return self.sum_at("run", run)

    def sum_at(self, end: str, column: str) -> Coalesce:
        mine = self.filter(**{end: OuterRef(column)}).order_by().values(end)
        none = Value(0, output_field=MinorUnits())
        return Coalesce(Subquery(mine.values(sum=Sum("amount"))), none)


class Transfer(models.Model):
    """One provider call that moves money; the row is committed before it is made."""

    class Status(models.TextChoices):
        PENDING = "pending"
        SENDING = "sending"
        DONE = "done"
        REFUSED = "refused"
        UNKNOWN = "unknown"
        STRANDED = "stranded"
        REVERSED = "reversed"
        EXPIRED = "expired"

    OPEN = (Status.PENDING, Status.SENDING, Status.UNKNOWN)
    VOID = (Status.REFUSED, Status.REVERSED, Status.EXPIRED)
    begun = False  # True where this process has claimed it and has yet to send it
    good_until: datetime | None = None  # how long this process may send on its reading
    accepted: int | None = None  # by a person, as what the bank moved instead

    id = models.UUIDField("dedupe id", primary_key=True, editable=False)
    # A change of any column that an index looks at is written to all of them: there are
    # no more than are read. Run, source and target lead others; most rows depend on
    # nothing.
    run = models.ForeignKey(
        RuleRun, models.PROTECT, related_name="transfers", db_index=False
    )
    move = models.PositiveSmallIntegerField()
    step = models.PositiveSmallIntegerField(default=0)
    depends_on = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="dependents",
        db_index=False,
    )
    source = models.ForeignKey(
        Account, models.PROTECT, related_name="outflows", db_index=False
    )
    target = models.ForeignKey(
        Account, models.PROTECT, related_name="inflows", db_index=False
    )
    amount = MinorUnits()
    asset = models.CharField(max_length=24)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    created = models.DateTimeField(auto_now_add=True)
    attempts = models.PositiveIntegerField(default=0)
    may_have_moved = models.BooleanField(
        default=False, help_text="An attempt ended without a certain answer."
    )
    first_sent_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    held_before = MinorUnits(
        null=True, blank=True, help_text="The pot's balance when it was last read."
    )
    reference = models.CharField(max_length=100, blank=True)
    verified = models.BooleanField(default=False)
    needs_person = models.BooleanField(default=False)
    proved_at = models.DateTimeField(
        null=True, blank=True, help_text="When the provider's own entry last agreed."
    )
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)

    objects = TransferQuerySet.as_manager()

    class Meta:
        ordering = ["run", "move", "step"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "move", "step"], name="one_transfer_per_step"
            ),
            # NaN is larger than any number, so the upper bound keeps it out.
            models.CheckConstraint(
                condition=Q(amount__range=(1, LARGEST)), name="amount_is_positive"
            ),
            models.UniqueConstraint(
                fields=["source"],
                condition=Q(status__in=["sending", "unknown"], needs_person=False),
                name="one_unsettled_outflow",
            ),
            # What is open is found by its having no end.
            models.CheckConstraint(
                condition=OPEN & Q(settled_at=None)
                | ~OPEN & Q(settled_at__isnull=False),
                name="open_until_settled",
            ),
        ]
        indexes = [
            BrinIndex(fields=["created"], autosummarize=True, name="transfer_newest"),
            models.Index(
                fields=["created"],
                condition=Q(needs_person=True),
                name="transfer_needs_person",
            ),
            models.Index(
                fields=["next_attempt_at"],
                condition=OPEN,
                name="transfer_unsettled",
            ),
            models.Index(fields=["source", "settled_at"], name="transfer_by_source"),
            models.Index(fields=["target", "settled_at"], name="transfer_by_target"),
            models.Index(
                fields=["depends_on"],
                condition=Q(depends_on__isnull=False),
                name="transfer_by_first_step",
            ),
        ]

    @property
    def stands(self) -> bool:
        """Tell whether its money moved, or still may."""
        return self.status not in self.VOID

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"
