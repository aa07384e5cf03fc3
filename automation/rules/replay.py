"""What a rule would have done: its occurrences in order, planned on what was stored.

Where more than one reading was possible, this is the one.

- Every occurrence is planned by `plan`, which previews and runs call as well, on the
  newest balances stored by then. They count as just read, since a run reads first.
- With `carry`, the stretch is played as if this rule had run and everything else had
  happened as it did: from each stored balance the rule's own transfers of the stretch
  are taken out, as far as it shows them, and what the replay moved is put in. Nothing
  is counted twice: a rule that really ran replays to what it did. A stored balance
  that may or may not show an own transfer is passed over. Without `carry`, each
  occurrence stands alone, on the balances as they really were.
- Before an account's first stored balance it is unknown, and so stale. As in a run,
  what is stale or short is tried again at each later reading, until it is too late.
- What a plan leaves short is tried again likewise, as a row of its own that leaves out
  whom its occurrence has paid; without `carry` nobody knows what is left for it.
- Nothing is late or caught up otherwise: in a replay the clock never stood still.
- A movement is seen with the first balance that was read after it; without one, at
  once. Cooldowns, the limits of a day and of the lifetime count what came before the
  stretch as it was, and within it what the replay moved.
- A disabled rule is replayed as if it were enabled, one that needs approval or gives
  notice as if nobody had objected. Protection and closing count from when they began.
- Round-ups and bills look at the stored transactions, and what the replay moved makes
  them good as a run would; where an account's were never read, that is not known.
- `manual`, `api` and `webhook` come from outside: nothing says when they would have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from zoneinfo import ZoneInfo

from .finding import SILENT, Candidate, candidates, found_at
from .gate import in_doubt
from .identity import retry_key
from .outlays import Ledger
from .past import Course, Past
from .paydays import SALARY
from .planner import plan
from .terms import Holding, Move, Plan, RuleSpec, Step
from .trigger_terms import Occurrence, TriggerSpec
from .triggers import beside, next_try

MOST_DAYS = 400
MOST_OCCURRENCES = 2000
STALE, CONDITION, NOT_DUE = "skipped_stale", "skipped_condition", "skipped_not_due"


class ReplayError(ValueError):
    """This cannot be replayed."""

    code = "invalid"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class StretchError(ReplayError):
    """A replay goes forward in time, over at most 400 days."""

    code = "out_of_range"


class TooManyOccurrences(ReplayError):
    """The rule is due more than 2,000 times: choose a shorter stretch."""

    code = "too_many_occurrences"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is replayed, and how: both ends count."""

    since: datetime
    until: datetime
    cooldown: timedelta = timedelta()
    lateness: timedelta = timedelta(hours=6)
    carry: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One occurrence: when it was due, when it was decided, what would have moved."""

    key: str
    trigger: str
    due: datetime
    at: datetime
    why: str
    outcome: str
    reason: str
    moves: tuple[Move, ...] = ()
    readings: tuple[Holding, ...] = ()
    trace: tuple[Step, ...] = ()

    @property
    def total(self) -> int:
        """All that would have moved, in minor units."""
        return sum(move.amount for move in self.moves)


@dataclass(frozen=True)
class Replay:
    """Every occurrence of a stretch, and what it would have come to."""

    rows: tuple[Row, ...]
    silent: tuple[str, ...]  # kinds of triggers that nothing stored can fire
    course: Course
    stretch: Stretch

    @property
    def total(self) -> int:
        """All that would have moved, in minor units."""
        return sum(row.total for row in self.rows)

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Return how often each outcome came, the most frequent first."""
        found: dict[str, int] = {}
        for row in self.rows:
            found[row.outcome] = found.get(row.outcome, 0) + 1
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def replay(
    rule: RuleSpec, triggers: Sequence[TriggerSpec], past: Past, stretch: Stretch
) -> Replay:
    """Return what `rule` would have done; raises StretchError, TooManyOccurrences."""
    if not stretch.since < stretch.until <= stretch.since + timedelta(MOST_DAYS):
        raise StretchError
    walk = Walk(replace(rule, enabled=True), triggers, past, stretch)
    walk.go()
    rows = sorted(walk.rows.values(), key=lambda row: (row.due, row.at))
    silent = dict.fromkeys(t.kind for t in triggers if t.kind in SILENT)
    return Replay(tuple(rows), tuple(silent), walk.course, stretch)


@dataclass(order=True, slots=True)
class Event:
    """Something to look at, in order of time and then as it was thought of."""

    at: datetime
    number: int
    trigger: int = field(compare=False)
    candidate: Candidate | None = field(compare=False, default=None)
    again: Occurrence | None = field(compare=False, default=None)
    next: bool = field(compare=False, default=True)  # the trigger's next one follows


@dataclass(frozen=True, slots=True)
class Begun:
    """What an occurrence has moved so far, and when the rule succeeded before that."""

    moves: tuple[Move, ...]
    at: datetime
    before: datetime | None


class Walk:
    """Goes through a stretch once, from its beginning to its end."""

    def __init__(
        self,
        rule: RuleSpec,
        triggers: Sequence[TriggerSpec],
        past: Past,
        stretch: Stretch,
    ) -> None:
        self.rule, self.triggers, self.past, self.stretch = (
            rule,
            triggers,
            past,
            stretch,
        )
        self.course = Course(past, carry=stretch.carry)
        self.ledger = Ledger(rule, past.outlays, past.salaries, past.promises)
        self.zone = ZoneInfo(rule.timezone)
        self.rows: dict[str, Row] = {}
        self.begun: dict[str, Begun] = {}  # by the key of what tries the rest again
        self.moved = list(past.moved)
        self.last_success = past.last_success
        self.last_fired = dict(past.last_fired)
        self.armed: dict[int, bool] = {}
        self.queue: list[Event] = []
        self.numbers = count()
        self.coming: list[Iterator[Candidate]] = [
            candidates(trigger, past, rule, stretch.since, stretch.until)
            for trigger in triggers
        ]

    def go(self) -> None:
        """Look at everything that could make the rule due, in order."""
        for index in range(len(self.triggers)):
            self.await_next(index)
        while self.queue:
            event = heappop(self.queue)
            if event.again is not None:
                self.decide(event.trigger, event.again, event.at)
            elif event.candidate is not None:
                self.look(event.trigger, event.candidate)
                if event.next:
                    self.await_next(event.trigger)

    def await_next(self, index: int) -> None:
        """Queue the next thing that trigger `index` has to look at."""
        candidate = next(self.coming[index], None)
        if candidate is not None:
            event = Event(candidate.at, next(self.numbers), index, candidate)
            heappush(self.queue, event)

    def look(self, index: int, candidate: Candidate) -> None:
        """Decide about everything that a trigger makes due now."""
        for found in found_at(self, index, candidate):
            before = self.rows.get(found.key)
            if before and before.trigger == "monthly" and before.due != found.at:
                found = beside(found)  # another trigger's, moved to another day
                before = self.rows.get(found.key)
            if before is None or self.did_nothing(before, candidate.at):
                self.decide(index, found, candidate.at)

    def did_nothing(self, row: Row, at: datetime) -> bool:
        """Tell whether a window of days is to be tried on another one.

        Its conditions did not hold, or nobody knew that until it was too late.
        """
        if row.outcome == STALE and at > row.due + self.stretch.lateness:
            return in_doubt(step.text for step in row.trace)
        return row.outcome == CONDITION

    def decide(self, index: int, due: Occurrence, at: datetime) -> None:
        """Plan one occurrence on what was known at `at`, and make its moves."""
        if len(self.rows) >= MOST_OCCURRENCES and due.key not in self.rows:
            raise TooManyOccurrences
        row = Row(due.key, self.triggers[index].kind, due.at, at, due.reason, "", "")
        if until := self.cools_until(due, at):
            why = f"Cooling down until {until:%Y-%m-%d %H:%M:%S} UTC"
            self.rows[due.key] = replace(row, outcome=NOT_DUE, reason=why)
            return
        made = self.plan(index, due, at)
        self.rows[due.key] = replace(
            row,
            outcome=made.outcome,
            reason=made.reason,
            moves=made.moves,
            readings=made.readings,
            trace=made.trace,
        )
        if made.moves:
            before = self.last_success
            self.succeed(index, due, at, made.moves)
            if made.retry and self.stretch.carry:
                self.leave(index, due, at, Begun(made.moves, at, before))
        elif self.waits(due, made):
            self.try_again(index, due, at)

    def waits(self, due: Occurrence, made: Plan) -> bool:
        """Say whether another try may do what this one did not.

        Conditions held for an occurrence a part of which was moved, and may hold again.
        """
        unmet = made.outcome == CONDITION and due.key in self.begun
        return made.retry or unmet or made.outcome == STALE

    def leave(self, index: int, due: Occurrence, at: datetime, now: Begun) -> None:
        """Look once more at an occurrence that has moved a part, for what was short."""
        known, key = self.begun.get(due.key), retry_key(due.key)
        if known is not None:
            now = replace(known, moves=(*known.moves, *now.moves))
        self.begun[key] = now
        self.decide(index, replace(due, key=key), at)

    def plan(self, index: int, due: Occurrence, at: datetime) -> Plan:
        begun = self.begun.get(due.key)
        salary = due.happened if self.triggers[index].kind == SALARY else None
        limits = replace(
            self.rule.limits, spent_today=self.on_day_of(at), spent_ever=self.ever()
        )
        return plan(
            replace(self.rule, limits=limits),
            self.course.holdings(at),
            now=at,
            spent=self.ledger.spent(at, salary, self.success_before(due)),
            payments=self.ledger.payments(at),
            owed=self.ledger.owed(at),
            amount=due.amount,
            before=begun.moves if begun else (),
            later=self.later(due, at),
        )

    def later(self, due: Occurrence, at: datetime) -> date | None:
        """Return the next day on which the window of `due` is tried, if that is one."""
        zone = self.rule.timezone
        days = [next_try(t, due.key, zone=zone, after=at) for t in self.triggers]
        return min(filter(None, days), default=None)

    def success_before(self, due: Occurrence) -> datetime | None:
        """Return when the rule last succeeded, this occurrence aside."""
        begun = self.begun.get(due.key)
        mine = begun is not None and self.last_success == begun.at
        return begun.before if begun and mine else self.last_success

    def cools_until(self, due: Occurrence, at: datetime) -> datetime | None:
        """Return until when the rule rests after its last success; None if it does not."""
        last = self.success_before(due)
        if last is None:
            return None
        until = last + self.stretch.cooldown
        return until if at < until else None

    def succeed(
        self, index: int, due: Occurrence, at: datetime, moves: Sequence[Move]
    ) -> None:
        """Make the moves; cooldowns begin with success, once for an occurrence."""
        self.course.make(at, moves)
        self.ledger.cover(at, moves)
        self.moved.append((at, sum(move.amount for move in moves)))
        if due.key not in self.begun:
            self.last_success = at
            self.last_fired[index] = due.happened or due.at
        ends = {end for move in moves for end in (move.source, move.target)}
        for number, trigger in enumerate(self.triggers):
            if trigger.kind == "balance" and trigger.account in ends:
                self.watch(number, at)

    def watch(self, index: int, at: datetime) -> None:
        """Look at a threshold again, now that money was moved at its account."""
        number = next(self.numbers)
        heappush(self.queue, Event(at, number, index, Candidate(at), next=False))

    def try_again(self, index: int, due: Occurrence, at: datetime) -> None:
        """Queue another try when one of the accounts is read again, unless too late."""
        soonest = self.course.next_reading(at)
        latest = min(due.at + self.stretch.lateness, self.stretch.until)
        if soonest is not None and soonest <= latest:
            heappush(self.queue, Event(soonest, next(self.numbers), index, again=due))

    def ever(self) -> int:
        return sum(amount for _, amount in self.moved)

    def on_day_of(self, at: datetime) -> int:
        """Return what was moved on the calendar day of `at` in the rule's zone."""
        day = at.astimezone(self.zone).date()
        return sum(
            amount
            for moment, amount in self.moved
            if moment.astimezone(self.zone).date() == day
        )
