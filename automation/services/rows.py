"""Rows to states and back: what is saved only if nobody else was faster."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import DatabaseError, IntegrityError
from django.utils.timezone import now

import providers
from accounts.services import grouped
from automation import machine
from automation.machine import Part, RunCommand, RunState, TransferState
from automation.machine.endings import CANCELLED
from automation.machine.run import Progress, Step, Terms
from automation.models import Rule, RuleRun, Transfer

from .attributes import attributes
from .booking import book
from .compiled import Exchange, Insertion
from .plans import happened, moves_of, told_moves
from .succeeding import Ending, finish, succeed

KEPT = (
    "status",
    "attempts",
    "may_have_moved",
    "needs_person",
    "verified",
    "first_sent_at",
    "sent_at",
    "next_attempt_at",
    "settled_at",
    "reference",
    "error_code",
    "error",
)
RUN_KEPT = (
    "status",
    "attempts",
    "lease_until",
    "next_attempt_at",
    "finished_at",
    "reason",
    "outcome",
    "planned_at",
    "approved_at",
    "notice_until",
)
# Whoever changes a row changes one of these: what was read is then no longer true.
TRANSFER = Exchange(Transfer, "status", "attempts", "sent_at", "needs_person")
RUN = Exchange(
    RuleRun, "status", "lease_until", "attempts", "approved_at", "notice_until"
)
INSERT = Insertion(Transfer, "run")
Write = Callable[[RuleRun, dict[str, Any]], bool]
LONGEST = {"reference": 100, "error_code": 40, "error": 2000}


def part_of(row: Transfer, steps: Sequence[Transfer]) -> Part:
    """Return what `row` is of its move, given all transfers of the run."""
    if row.step:
        return Part.SECOND if row.step == 1 else Part.BACK
    two = any(other.move == row.move and other.step == 1 for other in steps)
    return Part.FIRST if two else Part.ONLY


def horizon(slug: str) -> timedelta:
    """Return how long a provider is trusted to remember a dedupe id."""
    return timedelta(seconds=providers.load(slug).dedupe_horizon)


def transfer_state(row: Transfer, part: Part) -> TransferState:
    return TransferState(
        amount=row.amount,
        asset=row.asset,
        horizon=horizon(row.source.provider),
        part=part,
        expires_at=row.expires_at,
        **attributes(row, KEPT),
    )


def save_transfer(
    row: Transfer, after: TransferState, *, told: Mapping[str, int] | None = None
) -> bool:
    """Write `after` unless the row has moved on.

    With `told`, what the provider said that accounts hold since, balances are entered in
    the same statement. Raises IntegrityError while another outflow of its source is not
    settled: see `busy`.
    """
    fields = transfer_fields(row, after)
    if told is None:
        written = TRANSFER(row, fields)
    else:
        written = book(TRANSFER, row, fields, told)
    if written:
        take(row, fields)
    return written


def transfer_fields(row: Transfer, after: TransferState) -> dict[str, Any]:
    """Return what is written where `row` becomes `after`."""
    fields = {name: fit(name, value) for name, value in changed(row, after, KEPT)}
    fields["held_before"] = row.held_before  # noted on the row, not in its state
    return fields


def finish_run(
    run: RuleRun,
    row: Transfer,
    after: TransferState,
    steps: Sequence[Transfer],
    told: Mapping[str, int],
) -> bool | None:
    """Write `after` and, in the same statement, that `run` has succeeded with it.

    Returns whether the transfer was written: the run may be another worker's. None, and
    nothing is written, where the run does not succeed with that.
    """
    last = ending(run, row, after, steps, told)
    return None if last is None else row.pk in finish_all([last])


def ending(
    run: RuleRun,
    row: Transfer,
    after: TransferState,
    steps: Sequence[Transfer],
    told: Mapping[str, int],
) -> Ending | None:
    """Return what is written where `run` succeeds as `row` becomes `after`."""
    ended = success(run, row, after, steps, now())
    if ended is None:
        return None
    return Ending(row, transfer_fields(row, after), told, run, run_fields(run, ended))


def finish_all(endings: Sequence[Ending]) -> set[UUID]:
    """Write `endings` that are alike, and return which transfers were written."""
    written, succeeded = finish(TRANSFER, RUN, endings)
    for end in endings:
        if end.row.pk in written:
            take(end.row, end.fields)
        if end.run.pk in succeeded:
            take(end.run, end.more)
    return written


def success(
    run: RuleRun,
    row: Transfer,
    after: TransferState,
    steps: Sequence[Transfer],
    moment: datetime,
) -> RunState | None:
    """Return what `run` becomes if it succeeds as its last transfer becomes `after`."""
    if any(step.settled_at is None for step in steps if step is not row):
        return None
    progress = [run_step(s, steps, after if s is row else s) for s in steps]
    ended, commands = machine.step(run_state(run), Progress(progress), moment)
    return ended if RunCommand.SUCCEED in commands else None


def busy(error: DatabaseError) -> bool:
    """Say whether another outflow of the same account forbade the change."""
    return isinstance(error, IntegrityError) and "one_unsettled_outflow" in str(error)


def run_state(run: RuleRun) -> RunState:
    late = timedelta(seconds=run.rule.max_lateness_seconds)
    known, deadline = attributes(run, RUN_KEPT), run.scheduled_for + late
    return RunState(deadline, **known, moves=moves_of(run), terms=terms(run.rule))


def terms(rule: Rule) -> Terms:
    """Return what `rule` wants to happen before money moves."""
    first = rule.approval == Rule.Approval.FIRST and rule.last_success_at is None
    return Terms(
        approval=first or rule.approval == Rule.Approval.ALWAYS,
        notice=timedelta(seconds=rule.notice_seconds),
        tolerance=int(rule.tolerance or 0),
        shelf_life=timedelta(seconds=rule.plan_ttl_seconds),
    )


def save_run(
    run: RuleRun, after: RunState, *, write: Write = RUN, **more: object
) -> bool:
    """Write `after`, and `more` columns, unless another worker has taken the run."""
    return put(run, run_fields(run, after) | more, write)


def put(run: RuleRun, fields: dict[str, Any], write: Write) -> bool:
    """Write `fields` unless another worker has taken the run meanwhile.

    What else belongs to the same statement is up to `write`.
    """
    written = write(run, fields)
    if written:
        take(run, fields)
    return written


def run_fields(run: RuleRun, after: RunState) -> dict[str, Any]:
    """Return what is written where `run` becomes `after`."""
    fields = dict(changed(run, after, RUN_KEPT))
    if after.moves != moves_of(run):
        fields["moves"] = told_moves(after.moves, run.rule.asset)
    return fields


def with_cooldowns(commands: Collection[RunCommand]) -> Write:
    """Return what writes a run along with the cooldowns that begin with a success."""
    return partial(succeed, RUN) if RunCommand.SUCCEED in commands else RUN


def changed(
    row: Transfer | RuleRun, after: TransferState | RunState, names: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    """Yield name and value of what `after` makes of `row`.

    Also what others change meanwhile who leave the rest as it was: who wakes it.
    """
    known = attributes(row, names)
    for name, value in attributes(after, names).items():
        if name == "next_attempt_at" or value != known[name]:
            yield name, value


def fit(name: str, value: object) -> object:
    """Return `value` as its column holds it: what others say may be of any length."""
    if isinstance(value, str) and name in LONGEST:
        return str(value).replace("\0", "")[: LONGEST[name]]
    return value


def take(row: Transfer | RuleRun, fields: dict[str, object]) -> None:
    for name, value in fields.items():
        setattr(row, name, value)


def run_step(
    row: Transfer,
    steps: Sequence[Transfer],
    state: Transfer | TransferState | None = None,
) -> Step:
    """Return what the run needs to know of `row`, or of what it becomes: `state`."""
    state = state or row
    before = next((s for s in steps if s.pk == row.depends_on_id), None)
    return Step(
        status=state.status,
        part=part_of(row, steps),
        # A step waits for a person too while the one before it does.
        needs_person=state.needs_person or (before is not None and before.needs_person),
        next_attempt_at=state.next_attempt_at,
        cancelled=state.error_code == CANCELLED,
    )


@dataclass(slots=True)
class Following:
    """What follows for a run: what it is told to do, and what is written first."""

    commands: Sequence[RunCommand]
    fields: dict[str, Any] | None = None  # None: there is nothing to write
    steps: Sequence[Transfer] = ()  # begin with it


def follow(
    run: RuleRun,
    event: machine.RunEvent,
    *,
    begin: Callable[[RunState], Sequence[Transfer]] | None = None,
    **more: Any,
) -> Following:
    """Return what follows from `event`, of which nothing is written yet.

    `begin` returns the transfers of a run that is to be carried out from now on.
    """
    before = run_state(run)
    after, commands = machine.step(before, event, now())
    if after is before and not commands and not more:
        return Following(())
    if told := happened(before, after, planned="trace" in more):
        more["trace"] = [*more.get("trace", run.trace), *told]
    wanted = begin is not None and RunCommand.DRIVE in commands
    steps = begin(after) if begin is not None and wanted else ()
    return Following(commands, run_fields(run, after) | more, steps)


def apply(
    run: RuleRun, event: machine.RunEvent, *, write: Write | None = None, **more: Any
) -> Sequence[RunCommand] | None:
    """Return the commands that follow `event`; None if somebody else was faster."""
    next_ = follow(run, event, **more)
    if next_.fields is None:
        return next_.commands
    write = write or with_cooldowns(next_.commands)
    return next_.commands if put(run, next_.fields, write) else None


def put_all(changes: Sequence[tuple[RuleRun, Following]]) -> set[UUID]:
    """Write what follows for runs, none of which succeeds with that, and their transfers.

    Returns those for which nobody was faster. Raises IntegrityError: see `busy`.
    """
    steps = {run.pk: next_.steps for run, next_ in changes}
    fields = [(run, next_.fields) for run, next_ in changes if next_.fields is not None]
    begun = [each for each in fields if steps[each[0].pk]]
    written = RUN.all_of([each for each in fields if not steps[each[0].pk]])
    for alike in grouped(begun, RUN.kind):
        rows = [row for run, _ in alike for row in steps[run.pk]]
        written |= INSERT(RUN, alike, rows)
    for run, known in fields:
        if run.pk in written:
            take(run, known)
    return written
