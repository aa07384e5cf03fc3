"""Rows as PostgreSQL keeps them: compare-and-set, unique indexes, one lock."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from django.db import models

from automation.machine import RunState, TransferState
from automation.machine import run as run_events
from automation.machine.events import Part
from automation.models import RuleRun, Trigger
from automation.rules.identity import retry_key
from automation.services.driving import iter_open
from automation.services.line import WAITS
from automation.services.plans import moves_of, told_moves
from automation.services.retrying import is_retry, parts_among
from automation.services.rows import KEPT, RUN_KEPT

from .stage import Process, Stage

UNCERTAIN = ("sending", "unknown")
IDLE = timedelta(seconds=10)  # a transaction that sleeps for longer is ended
BY_PLACE = attrgetter("move", "step")


class Busy(Exception):
    """Another outflow of the same account is not settled: the unique index says no."""


class Row:
    """Columns by name; a copy is what one worker holds of it."""

    def __init__(self, **columns: Any) -> None:
        self.__dict__ = columns

    def copy(self) -> Any:
        return Row(**self.__dict__)

    def __str__(self) -> str:
        return str(self.__dict__.get("name", ""))


def columns(model: type[models.Model]) -> dict[str, Any]:
    """Return the columns of a new row of `model`, as they are by default."""
    return {field.attname: field.get_default() for field in model._meta.concrete_fields}


RUN = columns(RuleRun)
SAME = ("status", "attempts", "sent_at", "needs_person")
RUN_SAME = ("status", "lease_until", "attempts", "approved_at", "notice_until")


class Database:
    """What is committed. Every method is one statement or one transaction."""

    one_at_a_time = True  # compare-and-set, and the index on unsettled outflows
    state = TransferState

    def __init__(self, stage: Stage, horizon: timedelta) -> None:
        self.stage, self.horizon = stage, horizon
        self.rules: dict[str, Any] = {}
        self.accounts: dict[str, Any] = {}
        self.runs: dict[str, Any] = {}
        self.steps: dict[str, list[Any]] = {}  # of each run, in order
        self.transfers: dict[object, Any] = {}
        self.balances: dict[str, Any] = {}
        self.named = False  # whether an id was seen in the bank's history
        self.connection = Row(token=0, lease_until=None)
        self.holder: Process | None = None
        self.held_since: datetime = stage.now

    # -- the lock on the connection

    def lock(self, process: Process) -> Generator[float, None, None]:
        """Wait for the lock; one whose holder sleeps in its transaction is taken away."""
        while self.holder is not None and self.holder is not process:
            if self.stage.now - self.held_since > IDLE:
                break
            yield 0.05
        self.holder, self.held_since = process, self.stage.now

    def unlock(self, process: Process) -> bool:
        """End a transaction; False if it was ended meanwhile, with nothing written."""
        mine = self.holder is process
        if mine:
            self.holder = None
        return mine

    # -- states

    def transfer_state(self, row: Any, part: Part) -> TransferState:
        return self.state(
            amount=row.amount,
            asset=row.asset,
            horizon=self.horizon,
            part=part,
            expires_at=row.expires_at,
            **{name: row.__dict__[name] for name in KEPT},
        )

    # -- statements

    def save_transfer(self, row: Any, after: TransferState) -> bool:
        """Write `after` unless the row has moved on; raises Busy."""
        kept = self.transfers[row.pk]
        if self.one_at_a_time:
            if any(kept.__dict__[name] != row.__dict__[name] for name in SAME):
                return False
            if after.status in UNCERTAIN and not after.needs_person:
                self.refuse_second(kept)
        fields = {name: getattr(after, name) for name in KEPT}
        fields["held_before"] = row.held_before
        kept.__dict__.update(fields)
        row.__dict__.update(fields)
        self.stage.note("row", row.name, after.status, after.attempts, after.error_code)
        return True

    def refuse_second(self, kept: Any) -> None:
        for other in self.transfers.values():
            if (
                other.source_id == kept.source_id
                and other.status in UNCERTAIN
                and not other.needs_person
                and other is not kept
            ):
                raise Busy

    def save_run(
        self, run: Any, after: RunState, *, success: bool = False, **more: Any
    ) -> bool:
        """Write `after` unless another worker has taken the run meanwhile.

        With a `success`, the cooldown of the rule begins in the same statement.
        """
        kept = self.runs[run.pk]
        if not self.unchanged(run):
            return False
        fields = {name: getattr(after, name) for name in RUN_KEPT} | more
        if after.moves != moves_of(run):
            fields["moves"] = told_moves(after.moves, run.rule.asset)
        kept.__dict__.update(fields)
        run.__dict__.update(fields)
        if success and not is_retry(run):
            self.rules[run.rule_id].last_success_at = run.finished_at
        self.stage.note("run", run.pk, after.status, after.attempts, after.reason)
        return True

    def unchanged(self, run: Any) -> bool:
        """Say whether nobody has taken `run` since it was read."""
        kept = self.runs[run.pk]
        same = all(kept.__dict__[name] == run.__dict__[name] for name in RUN_SAME)
        return same or not self.one_at_a_time

    def create_run(self, rule: Any, key: str, kind: str, at: datetime) -> str:
        """Return the one run of `rule` under `key`; creates it if there is none."""
        pk = f"{rule.name}/{key}"
        if pk not in self.runs:
            self.steps[pk] = []
            named = {"pk": pk, "rule_id": rule.pk, "key": key, "trigger_kind": kind}
            self.runs[pk] = Row(**RUN | named | {"scheduled_for": at})
        return pk

    def create_retry(self, run: Any) -> None:
        """Create the one run that tries again what `run` leaves short."""
        key = retry_key(run.key)
        if f"{run.rule.name}/{key}" in self.runs:
            return
        pk = self.create_run(run.rule, key, run.trigger_kind, run.scheduled_for)
        again = self.stage.now + run_events.AFTER_SYNC
        short = {"outcome": "skipped_funds", "next_attempt_at": again}
        self.runs[pk].__dict__.update(short)

    def parts_before(self, run: Any) -> list[Any]:
        """Return the runs of this occurrence that left something to `run`."""
        if not is_retry(run):
            return []
        mine = [row for row in self.runs.values() if row.rule_id == run.rule_id]
        return parts_among(mine, run.key)

    def last_success(self, rule: Any, parts: Sequence[Any]) -> datetime | None:
        """Return when `rule` last succeeded, the occurrence of these `parts` aside."""
        newest = rule.last_success_at
        if not parts or parts[-1].finished_at != newest:
            return newest
        ends = [
            run.finished_at
            for run in self.runs.values()
            if run.rule_id == rule.pk and run.status == "succeeded"
            if not is_retry(run) and run.finished_at < newest
        ]
        return max(ends, default=None)

    def create_transfers(self, rows: Sequence[Any]) -> None:
        """Insert `rows`; one that is there already is left as it is. Raises Busy."""
        self.admit(rows)
        for row in rows:
            steps = self.steps[row.run_id]
            if any(s.move == row.move and s.step == row.step for s in steps):
                continue
            self.transfers[row.pk] = kept = row.copy()
            kept.begun = False  # that is known to its worker alone
            steps.append(kept)
            steps.sort(key=BY_PLACE)
            self.stage.note("row", row.name, row.status, row.amount)

    def admit(self, rows: Sequence[Any]) -> None:
        """Raise Busy if one of `rows` may not stand beside what is there."""
        for row in rows:
            if row.status in UNCERTAIN and self.one_at_a_time:
                self.refuse_second(row)

    def load(self, pk: str) -> Any:
        """Return a run with its rule, as they are now."""
        run = self.runs[pk].copy()
        run.rule = self.rules[run.rule_id].copy()
        run.held = {}  # what its worker knows of balances
        return run

    def steps_of(self, run: Any) -> list[Any]:
        return [row.copy() for row in self.steps[run.pk]]

    def leaving(self, account: str, *, but: object = None, begun: bool = False) -> int:
        """Return what leaves `account` and its newest reading may not show."""
        seen = self.balances[account].as_of
        total = 0
        for row in self.transfers.values():
            if row.source_id != account or row.pk == but:
                continue
            if row.settled_at is None:
                total += 0 if begun and row.status == "pending" else row.amount
            elif row.status == "done" and row.settled_at > seen:
                total += row.amount
        return total

    def unread(self, account: str, *, but: object) -> bool:
        """Say whether `account` does not show, or may not, all that has left it."""
        seen = self.balances[account].as_of
        return any(
            row.status in UNCERTAIN or (row.status == "done" and row.settled_at > seen)
            for row in self.transfers.values()
            if row.source_id == account and row.pk != but
        )

    def balance(self, account: str, **how: Any) -> Any:
        """Return what is known of `account`, and what leaves it."""
        known = self.balances[account].copy()
        known.leaving = self.leaving(account, **how)
        return known

    # -- whose turn it is

    def waits_for(self, run: Any) -> str:
        """Return whose run goes first on a shared account, in words, or nothing."""
        if run.trigger_kind in Trigger.BY_HAND or run.status != "due":
            return ""
        mine = self.rules[run.rule_id]
        for other in self.runs.values():
            at = other.next_attempt_at
            if other.status != "due" or (at is not None and at > self.stage.now):
                continue
            rule = self.rules[other.rule_id]
            first = (rule.priority, rule.pk) < (mine.priority, mine.pk)
            if first and rule.enabled and rule.accounts & mine.accounts:
                return f"{WAITS}{rule.name}, which goes first on the same account"
        return ""

    def wake_line(self) -> list[str]:
        """Make due the runs that need wait no longer for another to go first."""
        now = self.stage.now
        waiting = [
            run
            for run in self.runs.values()
            if run.status == "due"
            and run.lease_until is None
            and run.next_attempt_at is not None
            and run.next_attempt_at > now
            and run.reason.startswith(WAITS)
        ]
        free = [run for run in waiting if not self.waits_for(run)]
        for run in free:
            run.next_attempt_at = now
        return [run.pk for run in free]

    # -- what the sweeper looks for

    def free_at(self, run: Any) -> datetime | None:
        """Return from when somebody may take `run`; None if it is finished."""
        if run.status not in run_events.UNFINISHED:
            return None
        at = run.lease_until or run.scheduled_for
        return max(at, run.next_attempt_at or at)

    def due_runs(self) -> list[str]:
        rows = [
            (self.rules[run.rule_id].priority, run.rule_id, pk)
            for pk, run in self.runs.items()
            if (at := self.free_at(run)) is not None and at <= self.stage.now
        ]
        return [pk for _, _, pk in sorted(rows)]

    def due_transfers(self) -> list[object]:
        """Return what waits for a person and may be read again, or was left behind."""
        now = self.stage.now
        return [
            row.pk
            for row in self.transfers.values()
            if row.settled_at is None and (at := self.look_at(row)) and at <= now
        ]

    def look_at(self, row: Any) -> datetime | None:
        """Return from when `row` may be looked at though its run has ended."""
        if row.needs_person:
            return row.next_attempt_at
        before = self.transfers.get(row.depends_on_id)
        if before is not None and before.needs_person:
            return None
        run = self.runs[row.run_id]
        return run.finished_at if run.status in run_events.ENDED_BADLY else None

    def wake(self, run: Any) -> list[str]:
        """Make due the runs that waited for an account that `run` left."""
        now, left = self.stage.now, {row.source_id for row in self.steps[run.pk]}
        held = {
            row.source_id
            for row in self.transfers.values()
            if row.status in UNCERTAIN and not row.needs_person
        }
        found = []
        for row in self.transfers.values():
            if row.source_id not in left - held or row.status != "pending":
                continue
            other = self.runs[row.run_id]
            waits = other.next_attempt_at is not None and other.next_attempt_at > now
            if row.error_code != "account_busy" or other.lease_until or not waits:
                continue
            if row is not next(iter_open(self.steps[other.pk]), None):
                continue  # it waits for one that stands before it
            if other.status in run_events.UNFINISHED:
                row.next_attempt_at = other.next_attempt_at = now
                found.append(other.pk)
        return list(dict.fromkeys([*found, *self.wake_line()]))
