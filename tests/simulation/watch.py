"""What must hold, judged by other code than the product's, against the bank's ledger."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from automation.machine import run as run_events
from automation.rules.identity import RETRY
from automation.services.plans import moves_of
from automation.services.retrying import is_retry
from providers.errors import OutcomeUnknown, ProviderError

from .bank import MAIN

LIVE = timedelta(seconds=5)
SLOWEST = timedelta(seconds=15)  # of a reading, from the question to the answer
MOVED = ("done", "reversed")
NOT_MOVED = ("pending", "refused", "expired", "stranded")


class Violation(AssertionError):
    """A promise was broken; `kind` says which."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(f"{kind}: {text}")


def demand(holds: object, kind: str, text: object) -> None:
    if not holds:
        raise Violation(kind, str(text))


class Watch:
    """Looks over the workers' shoulders, and at the ledger when all is quiet."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.begun: dict[object, Any] = {}  # when each transfer was first sent
        self.fresh: set[object] = set()  # those whose first attempt is being made
        self.permits_of: dict[object, Any] = {}

    # -- while it happens

    def permits(self, row: Any, known: Any) -> None:
        """Remember the reading on which a transfer may be sent."""
        left = known.available
        for other in self.world.rows.transfers.values():
            if other.source_id == row.source_id and other.pk != row.pk:
                done = other.status == "done" and other.settled_at > known.as_of
                if done or other.status in ("sending", "unknown"):
                    left -= other.amount
        row.permit = known.fetched_at, left, known.fetched_at - SLOWEST

    def sends(self, turn: Any, name: object, amount: int) -> None:
        """Judge a transfer at the last moment before its request is written."""
        row, kept = turn.row, self.world.rows.transfers.get(turn.row.pk)
        demand(
            kept is not None
            and kept.status == "sending"
            and kept.sent_at is not None
            and kept.attempts == row.attempts,
            "intent",
            f"{row.name} is sent, but nothing says so",
        )
        demand(amount == kept.amount, "books", f"{row.name} is sent as {amount}")
        self.alone(kept)
        self.in_time(row)
        self.in_order(row)
        self.on_a_reading(turn, amount)

    def alone(self, kept: Any) -> None:
        for other in self.world.rows.transfers.values():
            same = other.source_id == kept.source_id and other is not kept
            if same and other.status in ("sending", "unknown"):
                text = f"{kept.name} is sent beside {other.name}"
                demand(other.needs_person, "one at a time", text)

    def in_time(self, row: Any) -> None:
        now = self.world.now
        if row.pk not in self.begun:
            self.begun[row.pk] = now
            self.fresh.add(row.pk)
        else:
            self.fresh.discard(row.pk)
        late = now - self.begun[row.pk]
        half = self.world.bank.traits.horizon / 2
        demand(late < half + LIVE, "horizon", f"{row.name} is sent again after {late}")

    def failed(self, row: Any, error: ProviderError) -> None:
        """Forget a first attempt that certainly never reached the bank's ledger."""
        if row.pk in self.fresh and not isinstance(error, OutcomeUnknown):
            del self.begun[row.pk]

    def in_order(self, row: Any) -> None:
        if row.step == 0:
            return
        moved = self.moves()
        before = self.world.rows.transfers[row.depends_on_id]
        first = moved[before.pk] or self.by_hand(before)
        demand(first, "order", f"{row.name} is sent before its first step")
        if row.step == 2:
            second = self.step(row, 1)
            demand(not moved[second.pk], "order", f"{row.name} undoes what was done")

    def step(self, row: Any, step: int) -> Any:
        steps = self.world.rows.steps[row.run_id]
        return next(s for s in steps if s.move == row.move and s.step == step)

    def on_a_reading(self, turn: Any, amount: int) -> None:
        """No outflow of a current account on old figures, nor beyond what may leave."""
        row, rule = turn.row, turn.run.rule
        again = row.may_have_moved
        if row.source_id != MAIN and not again:
            return
        read_at, left, as_of = row.__dict__.get("permit") or (None, 0, None)
        demand(read_at, "stale", f"{row.name} is sent without a reading")
        limit = LIVE
        floored = any(g.account == MAIN and g.floor is not None for g in rule.spec.legs)
        if rule.on_stale == "use_floor" and floored and not again:
            limit = timedelta(seconds=rule.max_staleness_seconds)
        old = self.world.now - read_at
        demand(old <= limit, "stale", f"{row.name} is sent on a reading {old} old")
        text = f"{row.name}: {amount} of {left}"
        demand(amount <= left - floor(rule, row.source_id), "overdraft", text)
        self.permits_of[row.pk] = as_of

    def owes(self, name: object) -> None:
        """Judge a move that left the current account below zero."""
        bank, pk = self.world.bank, self.world.names[name]
        as_of = self.permits_of.get(pk)
        used = bank.used_at is not None and (as_of is None or bank.used_at >= as_of)
        # Taken for the owner's own move, of which nothing tells it apart, it was counted
        # as gone while its request was still under way.
        excused = used or self.by_hand(self.world.rows.transfers[pk]) is not None
        demand(
            excused or bank.traits.lag or bank.traits.reads_apart,
            "overdraft",
            f"{name}",
        )

    def succeeds(self, run: Any) -> None:
        moved = self.moves()
        for row in self.world.rows.steps[run.pk]:
            text = f"{run.pk} cools down, but {row.name} did not happen"
            demand(moved[row.pk] or self.by_hand(row), "cooldown", text)

    # -- when all is quiet

    def moves(self) -> Counter[object]:
        """Return how often the bank made each transfer, by whatever name."""
        names = self.world.names
        return Counter(names[move.name] for move in self.world.bank.moves)

    def end(self) -> None:
        """Compare what is written with what happened."""
        moved = self.moves()
        for pk, times in moved.items():
            text = f"{self.world.rows.transfers[pk].name} moved {times} times"
            demand(times == 1, "doubled", text)
        ledger = {self.world.names[move.name]: move for move in self.world.bank.moves}
        self.claims()
        for row in self.world.rows.transfers.values():
            self.books(row, ledger.get(row.pk))
        for run in self.world.rows.runs.values():
            demand(
                run.status not in run_events.UNFINISHED,
                "lost",
                f"{run.pk} {run.status}",
            )
            self.compensated(run, moved)
        started = all(o.started for o in self.world.story.occurrences)
        demand(started, "lost", "An occurrence never became a run")
        self.cooldowns()
        self.occurrences()
        self.caps()
        demand(not self.world.bank.renewed_twice, "token", "A token was renewed twice")

    def claims(self) -> None:
        """No entry of the ledger stands for two transfers."""
        told = Counter(
            row.reference
            for row in self.world.rows.transfers.values()
            if row.status in MOVED and row.reference
        )
        for reference, times in told.items():
            demand(times == 1, "books", f"{times} transfers are {reference}")

    def by_hand(self, row: Any) -> Any:
        """Return the owner's own entry that `row` was taken for, if it fits exactly.

        Where a bank names no ids, nothing tells an owner's move from a lost one of ours.
        """
        for move in self.world.bank.ledger:
            if move.name is None and move.reference == row.reference and row.reference:
                return None if row.verified else move
        return None

    def books(self, row: Any, move: Any) -> None:
        text = f"{row.name} is {row.status}, the bank has {move}"
        if row.status in MOVED:
            move = move or self.by_hand(row)
            demand(move is not None, "books", text)
        elif row.status in NOT_MOVED:
            demand(move is None, "books", text)
        before = self.world.rows.transfers.get(row.depends_on_id)
        person = row.needs_person or (before is not None and before.needs_person)
        settled = row.settled_at is not None or person
        demand(settled, "lost", f"{row.name} is {row.status}")
        if move is not None:
            same = (row.source_id, row.target_id, row.amount)
            demand(same == (move.source, move.target, move.amount), "books", text)

    def compensated(self, run: Any, moved: Counter[object]) -> None:
        """Money that left one pot is in the other, back, or before a person."""
        for first in self.world.rows.steps[run.pk]:
            rest = [s for s in self.world.rows.steps[run.pk] if s.move == first.move]
            if first.step or len(rest) == 1 or not moved[first.pk]:
                continue
            arrived = sum(bool(moved[s.pk] or self.by_hand(s)) for s in rest[1:])
            person = any(s.needs_person for s in rest)
            text = f"{first.name}: {[s.status for s in rest]}"
            demand(arrived == 1 or person, "compensation", text)
            back = len(rest) == 3 and rest[2].status == "done"
            demand((first.status == "reversed") == back, "compensation", text)

    def cooldowns(self) -> None:
        runs = self.world.rows.runs.values()
        for rule in self.world.rows.rules.values():
            ends = {
                r.finished_at
                for r in runs
                if r.rule_id == rule.pk and r.status == "succeeded" and not is_retry(r)
            }
            since = rule.last_success_at
            demand(since is None or since in ends, "cooldown", f"{rule.name} {since}")

    def occurrences(self) -> None:
        """No leg has two parts of one occurrence, however often it is tried again."""
        served: Counter[tuple[object, ...]] = Counter()
        for run in self.world.rows.runs.values():
            gives = self.world.rows.rules[run.rule_id].spec.kind == "sweep"
            for move in moves_of(run) if self.world.rows.steps[run.pk] else ():
                leg = move.source if gives else move.target
                served[run.rule_id, run.key.rsplit(RETRY)[-1], leg] += 1
        for leg, times in served.items():
            demand(times == 1, "doubled", f"{leg} had {times} parts")

    def caps(self) -> None:
        """No rule moves more in a day than it may."""
        for rule in self.world.rows.rules.values():
            limit = rule.spec.limits.per_day
            if limit is None:
                continue
            ours = [s for pk, steps in self.world.rows.steps.items() for s in steps
                    if self.world.rows.runs[pk].rule_id == rule.pk]  # fmt: skip
            first = sum(s.amount for s in ours if s.step == 0 and s.status in MOVED)
            back = sum(s.amount for s in ours if s.step == 2 and s.status in MOVED)
            demand(first - back <= limit, "limit", f"{rule.name} moved {first - back}")


def floor(rule: Any, account: str) -> int:
    """Return what `rule` promised to leave in `account`, whatever it is worth."""
    for leg in rule.spec.legs:
        if leg.account == account and leg.role == "source":
            return max(leg.keep or 0, leg.floor or 0)
    return 0
