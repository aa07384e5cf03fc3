"""What transactions of the past tell a plan: what was spent, and what was paid by card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .localtime import midnight, zone_of
from .paydays import clock_of, last_paydays, last_salaries, replenished_since
from .terms import Move, RuleSpec

ROUND_UPS, REPLENISH = "round_ups", "replenish"


@dataclass(frozen=True, slots=True)
class Outlay:
    """A payment by card, or money that left a bills pot; `at`: since when it counts."""

    id: str
    at: datetime
    amount: int  # positive, in minor units


@dataclass(frozen=True, slots=True)
class Salaries:
    """When money came in that looked like pay, the oldest first."""

    at: Sequence[datetime]
    cooldown_days: int  # two that are closer are of one payday


class Ledger:
    """Tells at any moment what is not made good yet, as a replay goes on."""

    def __init__(
        self,
        rule: RuleSpec,
        outlays: Mapping[str, Sequence[Outlay]],
        salaries: Mapping[str, Salaries],
    ) -> None:
        self.rule, self.outlays, self.salaries = rule, outlays, salaries
        self.covered: set[str] = set()

    def payments(self, at: datetime) -> dict[str, tuple[int, ...]]:
        """Return what was paid by card from each account that is rounded up."""
        return {
            leg.account: tuple(o.amount for o in self.open(leg.account, at))
            for leg in self.rule.legs
            if leg.strategy == ROUND_UPS and leg.account in self.outlays
        }

    def spent(
        self, at: datetime, happened: datetime | None, done: datetime | None
    ) -> dict[str, int]:
        """Return what left each bills pot since payday; what is not known is left out."""
        found = {}
        for leg in self.rule.legs:
            if leg.strategy != REPLENISH or leg.account not in self.outlays:
                continue
            since = replenished_since(self.paydays(leg.account, at, happened), done)
            if since is not None:
                rows = self.open(leg.account, at)
                found[leg.account] = sum(o.amount for o in rows if since <= o.at)
        return found

    def open(self, account: str, at: datetime) -> list[Outlay]:
        """Return what counts by `at` and no replayed move has made good."""
        rows = self.outlays.get(account, ())
        return [o for o in rows if o.at <= at and o.id not in self.covered]

    def cover(self, at: datetime, moves: Sequence[Move]) -> None:
        """Note what these moves make good."""
        for account in {end for move in moves for end in (move.source, move.target)}:
            self.covered |= {o.id for o in self.open(account, at)}

    def paydays(
        self, account: str, at: datetime, happened: datetime | None
    ) -> list[datetime]:
        """Return the last two paydays, the newest first, as far as they are known."""
        cycle, zone = self.rule.pay_cycle, self.rule.timezone
        if clock_of(cycle) is not None:
            return last_paydays(cycle, zone, at)
        seen, here = self.salaries.get(account), zone_of(zone)
        if seen is None:
            return []
        until = happened or midnight(at, here)
        before = reversed([each for each in seen.at if each < until])
        return last_salaries(before, happened, seen.cooldown_days, here)
