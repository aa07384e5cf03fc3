"""The words a rule is written in: what goes into a plan, and what comes out of it.

Money is an integer of the rule's asset's smallest unit throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from .trigger_terms import TriggerSpec

POT = "pot"
ALL_WITH_GOAL = "all_with_goal"


class RuleError(ValueError):
    """This rule cannot be planned as it is written."""

    def __init__(self, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        said = "; ".join(f"{p.field}: {p.message}" for p in self.problems)
        super().__init__(said or self.__doc__)


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why something that was typed in is refused."""

    field: str  # "legs.2.share"
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Holding:
    """What is known of one account at the moment of planning."""

    account: str
    name: str
    asset: str
    available: int | None  # less what is reserved and unsettled; None is unknown
    age_seconds: int | None
    as_of: datetime | None = None
    source: str = "live"
    kind: str = "current"
    inside: str | None = None  # the account that this pot is part of
    goal: int | None = None
    closed: bool = False
    protected: bool = False
    can_send: bool = True
    can_receive: bool = True
    largest_drop: int = 0  # seen within 30 days
    total: int | None = None  # what it holds, also what is not free
    coming: int = 0  # on its way to it by our own hand, and not there yet

    @property
    def is_pot(self) -> bool:
        """Tell whether this is a pot, which can never go below zero."""
        return self.kind == POT

    @property
    def root(self) -> str:
        """Return the account at whose bank book this money stands."""
        return self.inside or self.account


@dataclass(frozen=True, slots=True)
class Leg:
    """One line of a rule: an account, and what is wanted of it."""

    account: str
    role: str
    order: int = 0
    strategy: str = ""
    amount: int | None = None
    share: Decimal | None = None
    keep: int | None = None
    keep_share: Decimal | None = None
    floor: int | None = None
    target: int | None = None
    cap: int | None = None
    max_share: Decimal | None = None
    min_move: int | None = None
    low: int | None = None
    high: int | None = None
    due: date | None = None
    unit: int | None = None
    multiplier: int | None = None
    accounts: str = ""  # ALL_WITH_GOAL: every such pot around the source, not `account`


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may move at all; what was spent counts against day and lifetime."""

    min_move: int | None = None
    per_move: int | None = None
    per_run: int | None = None
    per_day: int | None = None
    per_rule: int | None = None
    # Facts beside the rule, not part of what it says, so two rules compare without them.
    spent_today: int = field(default=0, compare=False)  # since midnight in its zone
    spent_ever: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison: of a balance, of today, or of what made the run due."""

    field: str  # total, available, date or amount
    op: str
    value: int | date
    account: str = ""
    asset: str = ""  # of `value`, where that is money


@dataclass(frozen=True, slots=True)
class Group:
    """Tests of which all or any must hold, or the one that must not."""

    how: str  # all, any or not
    parts: tuple[Compare | Group, ...]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold for a rule to move money, and the rule to run instead."""

    test: Compare | Group
    otherwise: str = ""  # the id of a rule; empty: nothing runs instead


@dataclass(frozen=True, slots=True)
class PayCycle:
    """When its owner is paid: on a day of each month, or when a trigger fires."""

    day: str = ""  # "1" to "31" or "last"
    trigger: TriggerSpec | None = None


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule as the planner sees it."""

    id: str
    name: str
    kind: str
    asset: str
    legs: tuple[Leg, ...]
    limits: Limits = field(default_factory=Limits)
    timezone: str = "UTC"
    enabled: bool = True
    rest: str = "redistribute"
    on_stale: str = "skip"
    max_staleness_seconds: int = 300
    on_short: str | None = None  # None: partial, but refuse for a topup
    round_to: int | None = None
    conditions: Conditions | None = None
    pay_cycle: PayCycle | None = None  # None: a month


class Move(NamedTuple):  # a plan makes many: a tuple is made fastest
    """Money that should go from one account to another."""

    source: str
    target: str
    amount: int


class Step(NamedTuple):
    """One thing the planner decided, in words for the owner."""

    step: str
    account: str | None
    text: str
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rule would do now, and why."""

    outcome: str
    reason: str
    moves: tuple[Move, ...]
    trace: tuple[Step, ...]
    readings: tuple[Holding, ...]
    plan_hash: str
    # What the run may do about it; neither changes what was decided.
    retry: bool = False  # some leg was short and should be tried after the next sync
    ask: bool = False  # stale, but a person is asked about what older readings allow
    instead: str = ""  # the id of the rule that runs because the conditions do not hold
    # Account → the ids of the transactions that its move makes good: round-ups, bills.
    covers: Mapping[str, Sequence[int]] = field(default_factory=dict, compare=False)
