"""One run: an occurrence of a rule, from due to an end that explains itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum, auto

from . import events
from .events import Part
from .transfer import LEASE

ATTEMPTS = 5  # claims in a row that never came back: the run kills its workers
RETRY = timedelta(seconds=60)  # between tries to read what is needed for a plan
RESEND = timedelta(seconds=15)  # until the sweeper looks at open transfers again
FRESH = timedelta(seconds=10)  # a lease this young need not be renewed


class Status(StrEnum):
    DUE = auto()
    PLANNED = auto()
    RUNNING = auto()
    SUCCEEDED = auto()
    PARTIAL = auto()
    FAILED = auto()
    STRANDED = auto()
    MISSED = auto()
    QUARANTINED = auto()
    NOTHING_TO_DO = auto()
    SKIPPED_STALE = auto()


UNFINISHED = frozenset({Status.DUE, Status.PLANNED, Status.RUNNING})


class RunCommand(StrEnum):
    PLAN = auto()  # sync, plan, and commit the transfers
    DRIVE = auto()  # take the transfers further, in order
    QUARANTINE = auto()  # send nothing more of it
    ALERT = auto()
    SUCCEED = auto()  # start cooldowns


@dataclass(frozen=True, slots=True)
class RunState:
    """What is known of one run. Other outcomes than `Status` knows are skips."""

    deadline: datetime  # after this it is too late to plan
    status: str = Status.DUE
    attempts: int = 0
    lease_until: datetime | None = None
    next_attempt_at: datetime | None = None
    finished_at: datetime | None = None
    reason: str = ""

    @property
    def finished(self) -> bool:
        return self.status not in UNFINISHED


@dataclass(frozen=True, slots=True)
class Step:
    """What a run needs to know of one of its transfers."""

    status: str
    part: Part = Part.ONLY
    needs_person: bool = False
    next_attempt_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether it may still settle by itself."""
        return self.status not in events.SETTLED and not self.needs_person


class RunEvent:
    """Something that happened to a run."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Claim(RunEvent):
    """A worker wants to take it."""


@dataclass(frozen=True, slots=True)
class Planned(RunEvent):
    """The planner decided. `outcome` is `planned` or why nothing will move."""

    outcome: str
    reason: str = ""
    retry: bool = False  # worth another try before the deadline


@dataclass(frozen=True, slots=True)
class Renew(RunEvent):
    """The worker that holds it takes the next transfer."""


@dataclass(frozen=True, slots=True)
class Progress(RunEvent):
    """The transfers were taken as far as they go now.

    `more`: the worker's turn is over, though nothing else is waited for.
    """

    steps: Sequence[Step]
    more: bool = False


Result = tuple[RunState, tuple[RunCommand, ...]]


def step(state: RunState, event: RunEvent, now: datetime) -> Result:
    """Return what `event` makes of `state`, and what must be done about it."""
    if isinstance(event, Progress):
        return progress(state, event, now)
    if state.finished:
        return state, ()
    if isinstance(event, Renew):
        return renew(state, now), ()
    if isinstance(event, Planned):
        return planned(state, event, now)
    return claim(state, now)


def claim(state: RunState, now: datetime) -> Result:
    waits = state.next_attempt_at is not None and state.next_attempt_at > now
    leased = state.lease_until is not None and state.lease_until > now
    if waits or leased:
        return state, ()
    if state.attempts >= ATTEMPTS:
        why = f"Given up: {ATTEMPTS} workers in a row never came back from it"
        given_up = finish(state, Status.QUARANTINED, why, now)
        return given_up, (RunCommand.QUARANTINE, RunCommand.ALERT)
    if state.status == Status.DUE and now > state.deadline:
        return overdue(state, now), ()
    taken = replace(state, attempts=state.attempts + 1, lease_until=now + LEASE)
    due = state.status == Status.DUE
    return taken, (RunCommand.PLAN if due else RunCommand.DRIVE,)


def renew(state: RunState, now: datetime) -> RunState:
    """Hold it for longer, unless that was said just now."""
    if state.lease_until is None or state.lease_until > now + LEASE - FRESH:
        return state
    return replace(state, lease_until=now + LEASE)


def overdue(state: RunState, now: datetime) -> RunState:
    """End it: what was tried and found stale says so, what was not is missed."""
    if state.reason:
        return finish(state, Status.SKIPPED_STALE, state.reason, now)
    return finish(state, Status.MISSED, "Nobody could start it in time", now)


def planned(state: RunState, event: Planned, now: datetime) -> Result:
    if state.status != Status.DUE:
        return state, ()
    if event.outcome == Status.PLANNED:
        kept = replace(
            state,
            status=Status.PLANNED,
            reason=event.reason,
            lease_until=now + LEASE,
        )
        return kept, (RunCommand.DRIVE,)
    if event.retry and now + RETRY <= state.deadline:
        later = replace(
            state,
            attempts=0,
            lease_until=None,
            next_attempt_at=now + RETRY,
            reason=event.reason,
        )
        return later, ()
    return finish(state, event.outcome, event.reason, now), ()


def finish(state: RunState, status: str, reason: str, now: datetime) -> RunState:
    return replace(
        state,
        status=status,
        reason=reason,
        lease_until=None,
        next_attempt_at=None,
        finished_at=now,
    )


def progress(state: RunState, event: Progress, now: datetime) -> Result:
    """Wait for what is open, or say how it ended. An end may still turn out better."""
    if state.status in (Status.DUE, Status.QUARANTINED):
        return state, ()
    waiting = [s for s in event.steps if s.open]
    if waiting:
        first = now if event.more else next_look(waiting[0], now)
        return wait(state, first), ()
    status, reason = conclusion(event.steps, state.reason)
    if status == state.status:
        return state, ()
    ended = finish(state, status, reason, now)
    return ended, (RunCommand.SUCCEED,) if status == Status.SUCCEEDED else ()


def next_look(first: Step, now: datetime) -> datetime:
    at = first.next_attempt_at
    return at if at and at > now else now + RESEND


def wait(state: RunState, until: datetime) -> RunState:
    return replace(
        state,
        status=Status.RUNNING,
        attempts=0,
        lease_until=None,
        next_attempt_at=until,
        finished_at=None,
    )


def conclusion(steps: Sequence[Step], reason: str) -> tuple[str, str]:
    """Return how a run ended whose transfers settle no more by themselves."""
    moves = [s for s in steps if s.part != Part.BACK]
    moved = sum(s.status == events.Status.DONE for s in moves)
    whole = sum(s.status == events.Status.DONE and s.part != Part.FIRST for s in moves)
    if any(s.status == events.Status.STRANDED for s in steps):
        return Status.STRANDED, "Money waits between two pots: a person must decide"
    if moved == len(moves):
        return Status.SUCCEEDED, reason
    unclear = sum(s.needs_person for s in steps)
    text = f"{whole} of {sum(s.part != Part.FIRST for s in moves)} moves were made"
    text += f"; {unclear} wait for a person" if unclear else ""
    return Status.PARTIAL if whole else Status.FAILED, text
