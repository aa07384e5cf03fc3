"""What transactions of the past tell a plan: what was spent, and what was paid by card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .localtime import midnight, zone_of
from .paydays import clock_of, last_paydays, last_salaries, replenished_since
from .terms import Leg, Move, RuleSpec

ROUND_UPS, REPLENISH = "round_ups", "replenish"
OF_TRANSACTIONS = frozenset({ROUND_UPS, REPLENISH})
REMEMBERED = timedelta(days=100)  # for so long what a transfer left open is


@dataclass(frozen=True, slots=True)
class Outlay:
    """A payment by card, or money that left a bills pot; `at`: since when it counts."""

    id: str
    at: datetime
    amount: int  # positive, in minor units


@dataclass(frozen=True, slots=True)
class Promise:
    """What a transfer was to make good when it was planned, and what it moved for it."""

    at: datetime
    wanted: int  # besides what those before it had left open
    moved: int  # or still may; nothing where it came to nothing


@dataclass(frozen=True, slots=True)
class Salaries:
    """When money came in that looked like pay, the oldest first."""

    at: Sequence[datetime]
    cooldown_days: int  # two that are closer are of one payday


def wanted_for(leg: Leg, amounts: Iterable[int]) -> int:
    """Return what makes `amounts` good: as much, or what rounding them up comes to."""
    if leg.strategy != ROUND_UPS:
        return sum(amounts)
    unit, times = leg.unit or 1, leg.multiplier or 1
    return times * sum(-amount % unit for amount in amounts)


def left_open(promises: Iterable[Promise], at: datetime) -> int:
    """Return what `promises`, the oldest first, leave to be moved at `at`.

    Each was planned with what those before it had left open. What moved beyond all that
    is not taken back: then a payment was corrected.
    """
    left = 0
    for promise in promises:
        if at - REMEMBERED <= promise.at:
            left = max(0, left + promise.wanted - promise.moved)
    return left


class Ledger:
    """Tells at any moment what is not made good yet, as a replay goes on."""

    def __init__(
        self,
        rule: RuleSpec,
        outlays: Mapping[str, Sequence[Outlay]],
        salaries: Mapping[str, Salaries],
        promises: Mapping[str, Sequence[Promise]],
    ) -> None:
        self.rule, self.outlays, self.salaries = rule, outlays, salaries
        self.promises = {name: list(rows) for name, rows in promises.items()}
        self.covered: set[str] = set()
        self.seen: dict[str, Sequence[Outlay]] = {}  # by what is planned now

    def payments(self, at: datetime) -> dict[str, tuple[int, ...]]:
        """Return what was paid by card from each account that is rounded up."""
        return {
            leg.account: self.look(leg.account, self.open(leg.account, at))
            for leg in self.told(ROUND_UPS)
        }

    def owed(self, at: datetime) -> dict[str, int]:
        """Return what was left over when earlier payments were rounded up."""
        return {leg.account: self.left(leg, at) for leg in self.told(ROUND_UPS)}

    def spent(
        self, at: datetime, happened: datetime | None, done: datetime | None
    ) -> dict[str, int]:
        """Return what left each bills pot since payday; what is not known is left out."""
        found = {}
        for leg in self.told(REPLENISH):
            since = replenished_since(self.paydays(leg.account, at, happened), done)
            if since is not None:
                rows = [o for o in self.open(leg.account, at) if since <= o.at]
                amounts = self.look(leg.account, rows)
                found[leg.account] = sum(amounts) + self.left(leg, at)
        return found

    def told(self, strategy: str) -> list[Leg]:
        """Return the legs of a strategy whose transactions were read."""
        legs = (leg for leg in self.rule.legs if leg.strategy == strategy)
        return [leg for leg in legs if leg.account in self.outlays]

    def open(self, account: str, at: datetime) -> list[Outlay]:
        """Return what counts by `at` and no replayed move was to make good."""
        rows = self.outlays.get(account, ())
        return [o for o in rows if o.at <= at and o.id not in self.covered]

    def look(self, account: str, rows: Sequence[Outlay]) -> tuple[int, ...]:
        """Note what a plan sees of an account, and return the amounts."""
        self.seen[account] = rows
        return tuple(row.amount for row in rows)

    def left(self, leg: Leg, at: datetime) -> int:
        """Return what moves for a leg have left open."""
        return left_open(self.promises.get(leg.account, ()), at)

    def cover(self, at: datetime, moves: Sequence[Move]) -> None:
        """Note what these moves, just planned, were to make good."""
        legs = {leg.account: leg for leg in self.rule.legs}
        for move in moves:
            for account in {move.source, move.target} & set(self.seen):
                rows = self.seen[account]
                wanted = wanted_for(legs[account], [row.amount for row in rows])
                promise = Promise(at, wanted, move.amount)
                self.promises.setdefault(account, []).append(promise)
                self.covered |= {row.id for row in rows}

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
