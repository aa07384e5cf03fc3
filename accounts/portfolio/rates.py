"""What one asset is worth in another: dated, exact, and never guessed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Protocol

from providers.money import Asset


class RateError(ValueError):
    """This is no rate that can be used."""

    code = "rate_invalid"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class RateCycle(RateError):
    """There is a way between these two already, and a second could contradict it."""

    code = "rate_cycle"


@dataclass(frozen=True, slots=True)
class Rate:
    """One whole unit of `base` is worth `value` whole units of `quote`, both codes.

    `as_of` is when that was true; older than `good_for` it is stale, without it never.
    """

    base: str
    quote: str
    value: Fraction
    as_of: datetime
    source: str
    good_for: timedelta | None = None

    def is_stale(self, moment: datetime) -> bool:
        return self.good_for is not None and moment - self.as_of > self.good_for

    def per(self, base: str) -> Fraction:
        """Return what one unit of `base`, either of the two, is worth in the other."""
        return self.value if base == self.base else 1 / self.value

    def other(self, code: str) -> str:
        return self.quote if code == self.base else self.base

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


class RateSource(Protocol):
    """Where rates come from: a table that people keep, an exchange's tickers."""

    def rates(self) -> Iterable[Rate]:
        """Return what the source knows, at most one rate for each pair."""
        ...


@dataclass(frozen=True, slots=True)
class Worth:
    """What one whole unit is worth, and by which rates; none for the asset itself."""

    value: Fraction
    rates: tuple[Rate, ...] = ()

    def stale(self, moment: datetime) -> list[Rate]:
        """Return the rates on the way that are too old to be trusted."""
        return [rate for rate in self.rates if rate.is_stale(moment)]


def in_minor_units(value: Fraction, asset: Asset, base: Asset) -> Fraction:
    """Return what one minor unit of `asset` is worth in those of `base`."""
    return value * Fraction(10) ** (base.decimals - asset.decimals)


class Table:
    """Rates between codes, with at most one way from any code to any other."""

    def __init__(self, rates: Iterable[Rate] = ()) -> None:
        self._known: dict[str, dict[str, Rate]] = {}
        for rate in rates:
            self.add(rate)

    @classmethod
    def of(cls, *sources: RateSource) -> Table:
        """Return what `sources` say together; an earlier one is never contradicted."""
        table = cls()
        for source in sources:
            for rate in source.rates():
                if not table.leads(rate.base, rate.quote):
                    table.add(rate)
        return table

    def add(self, rate: Rate) -> None:
        """Add a rate; raises RateError and RateCycle."""
        if rate.base == rate.quote:
            raise RateError("A rate is between two different assets")
        if rate.value <= 0:
            raise RateError("A rate is more than 0")
        if self.leads(rate.base, rate.quote):
            raise RateCycle
        self._known.setdefault(rate.base, {})[rate.quote] = rate
        self._known.setdefault(rate.quote, {})[rate.base] = rate

    def beside(self, code: str) -> list[Rate]:
        """Return the rates between `code` and anything else, as they came."""
        return list(self._known.get(code, {}).values())

    def leads(self, code: str, to: str) -> bool:
        """Say whether any way, however long, leads from one code to another."""
        seen, ahead = {code}, [code]
        while ahead and to not in seen:
            found = self._known.get(ahead.pop(), {}).keys() - seen
            seen |= found
            ahead += found
        return to in seen

    def worth(self, code: str, base: str) -> Worth | None:
        """Return what one `code` is worth in `base`: by a rate, or two with one between.

        A rate serves both ways. None means that nobody said: more steps than two
        would be a guess.
        """
        if code == base:
            return Worth(Fraction(1))
        for middle, first in self._known.get(code, {}).items():
            if middle == base:
                return Worth(first.per(code), (first,))
            second = self._known[middle].get(base)
            if second is not None:
                value = first.per(code) * second.per(middle)
                return Worth(value, (first, second))
        return None
