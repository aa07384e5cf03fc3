"""What is kept of what one asset is worth in another, and who says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.timezone import now

from accounts.models import ExchangeRate, Workspace
from accounts.models.rate import PLACES, TYPED
from accounts.portfolio.rates import Rate, RateError, RateSource, Table
from providers.base import Quote


@dataclass(frozen=True, slots=True)
class Kept:
    """The rates that a table of the database holds."""

    rows: Iterable[ExchangeRate]

    def rates(self) -> Iterable[Rate]:
        return [row.rate for row in self.rows]


def sources_of(workspace: Workspace) -> list[RateSource]:
    """Return where rates come from, the most trusted first: people, then tickers."""
    rows = list(workspace.rates.order_by("base", "quote", "source"))
    return [
        Kept([row for row in rows if row.source == TYPED]),
        Kept([row for row in rows if row.source != TYPED]),
    ]


def table_of(workspace: Workspace) -> Table:
    """Return all rates of `workspace`; what a person typed is never contradicted."""
    return Table.of(*sources_of(workspace))


def check_rate(
    workspace: Workspace, base: str, quote: str, value: Decimal, *, instead=None
) -> None:
    """Raise RateError or RateCycle if a typed rate cannot be kept beside the others.

    `instead` is the id of the rate that this one replaces.
    """
    others = workspace.rates.filter(source=TYPED).exclude(pk=instead)
    told = ExchangeRate(base=base, quote=quote, value=value)
    Table([*(row.rate for row in others), told.rate])


def keep_rate(
    workspace: Workspace,
    base: str,
    quote: str,
    value: Decimal,
    *,
    as_of: datetime | None = None,
    good_for_hours: int | None = ExchangeRate.WEEK,
) -> ExchangeRate:
    """Keep what a person says a pair is worth, in place of what was kept of it.

    Raises RateError, and RateCycle where the others say it already in another way.
    """
    moment = now()
    if as_of is not None and as_of > moment:
        raise RateError("Nobody knows yet what will be true then")
    with transaction.atomic():
        # Two that come at once could close a circle together.
        Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
        pair = {"base": base, "quote": quote, "source": TYPED}
        known = workspace.rates.filter(**pair).first()
        check_rate(workspace, base, quote, value, instead=known and known.pk)
        told = {"value": value, "as_of": as_of or moment}
        kept, _ = workspace.rates.update_or_create(
            **pair, defaults=told | {"good_for_hours": good_for_hours}
        )
    return kept


def keep_quotes(
    workspace: Workspace,
    source: str,
    quotes: Iterable[Quote],
    *,
    good_for_hours: int = 1,
) -> int:
    """Keep what a provider's tickers say, and return how many rates that are.

    An older quote never replaces a newer one. Raises RateError for one that is none.
    """
    moment, kept = now(), 0
    for quote in quotes:
        if not storable(quote.value):
            raise RateError(f"{quote.base}/{quote.quote} is {quote.value} at {source}")
        kept += keep_quote(workspace, source, quote, moment, good_for_hours)
    return kept


def storable(value: Decimal) -> bool:
    """Say whether a rate is a number above 0 that the column holds exactly."""
    if not value.is_finite() or not 0 < value < ExchangeRate.BELOW:
        return False
    return -value.as_tuple().exponent <= PLACES


def keep_quote(
    workspace: Workspace, source: str, quote: Quote, moment: datetime, hours: int
) -> int:
    """Keep one quote and return 1, or 0 where one as new is kept already."""
    as_of = quote.as_of or moment
    told = {"value": quote.value, "as_of": as_of, "good_for_hours": hours}
    pair = {"base": quote.base, "quote": quote.quote, "source": source}
    rows = workspace.rates.filter(**pair)
    if rows.filter(as_of__lt=as_of).update(**told):
        return 1
    _, made = workspace.rates.get_or_create(**pair, defaults=told)
    return int(made)
