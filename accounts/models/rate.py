from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from django.core.validators import RegexValidator
from django.db import models
from django.utils.timezone import now

from accounts.portfolio.rates import Rate
from accounts.visibility import seen_by

from .base import Row
from .workspace import Workspace

DIGITS, PLACES = 30, 18
TYPED = "typed"  # the source of a rate that a person wrote down
CODE = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,19}\Z", "The code of an asset, such as GBP or BTC."
)


class ExchangeRateQuerySet(models.QuerySet):
    def of(self, user) -> ExchangeRateQuerySet:
        """Return the rates that `user` may see."""
        return self.filter(seen_by(user))


class ExchangeRate(Row):
    """One whole unit of `base` is worth `value` whole units of `quote`."""

    BELOW = 10 ** (DIGITS - PLACES)
    WEEK = 168  # hours

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="rates")
    base = models.CharField(
        "one",
        max_length=20,
        validators=[CODE],
        help_text="The code of an asset: BTC in 1 BTC = 50,000 GBP.",
    )
    quote = models.CharField("is worth so many", max_length=20, validators=[CODE])
    value = models.DecimalField(
        "rate", max_digits=DIGITS, decimal_places=PLACES, help_text="More than 0."
    )
    as_of = models.DateTimeField(default=now, help_text="When that was true.")
    source = models.CharField(max_length=40, default=TYPED, editable=False)
    good_for_hours = models.PositiveIntegerField(
        "hours until it is stale",
        null=True,
        blank=True,
        default=WEEK,
        help_text="Empty: never, such as a fixed peg.",
    )

    objects = ExchangeRateQuerySet.as_manager()

    class Meta:
        ordering = ["base", "quote"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "base", "quote", "source"],
                name="one_rate_per_pair",
            ),
            models.CheckConstraint(
                condition=models.Q(value__gt=0, value__lt=10 ** (DIGITS - PLACES)),
                name="rate_is_a_number_above_zero",
            ),
            models.CheckConstraint(
                condition=~models.Q(base=models.F("quote")),
                name="rate_is_between_two_assets",
            ),
        ]

    def __str__(self) -> str:
        return f"1 {self.base} = {self.plain_value} {self.quote}"

    @property
    def plain_value(self) -> str:
        """The exact value without the zeros that the column adds."""
        return plain(self.value)

    @property
    def rate(self) -> Rate:
        """Return it as portfolios reckon with it."""
        hours = self.good_for_hours
        good_for = None if hours is None else timedelta(hours=hours)
        told = (self.base, self.quote, Fraction(self.value), self.as_of, self.source)
        return Rate(*told, good_for)


def plain(value: Decimal) -> str:
    """Return an exact decimal without zeros at its end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
