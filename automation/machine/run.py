"""One run: an occurrence of a rule, from due to an end that explains itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from .concluding import RESEND, cancel, conclusion, progress, resume
from .runs import (
    BEFORE,
    ENDED_BADLY,
    UNFINISHED,
    Approve,
    Cancel,
    Claim,
    GiveBack,
    Move,
    Moves,
    Planned,
    Progress,
    Renew,
    Result,
    Resume,
    RunCommand,
    RunEvent,
    RunState,
    Status,
    Step,
    Terms,
)
from .transfer import HOLD, LEASE
from .waiting import (
    AFTER_SYNC,
    RETRY,
    again,
    approve,
    awaits,
    finish,
    overdue,
    planned,
)

__all__ = [
    "AFTER_SYNC",
    "ATTEMPTS",
    "BEFORE",
    "ENDED_BADLY",
    "RESEND",
    "RETRY",
    "UNFINISHED",
    "Approve",
    "Cancel",
    "Claim",
    "GiveBack",
    "Move",
    "Moves",
    "Planned",
    "Progress",
    "Renew",
    "Resume",
    "RunCommand",
    "RunEvent",
    "RunState",
    "Status",
    "Step",
    "Terms",
    "conclusion",
    "step",
]

ATTEMPTS = 5  # claims in a row that never came back: the run kills its workers
FRESH = timedelta(seconds=10)  # a lease this young need not be renewed


def step(state: RunState, event: RunEvent, now: datetime) -> Result:
    """Return what `event` makes of `state`, and what must be done about it."""
    match event:
        case Progress():
            return progress(state, event, now)
        case Cancel():
            return cancel(state, event, now)
        case Resume():
            return resume(state, event, now)
    return (state, ()) if state.finished else go_on(state, event, now)


def go_on(state: RunState, event: RunEvent, now: datetime) -> Result:
    """Return what follows for a run that has not ended."""
    match event:
        case Renew():
            return renew(state, now), ()
        case GiveBack():
            return give_back(state), ()
        case Planned():
            return planned(state, event, now) if before(state) else (state, ())
        case Approve():
            return approve(state, now), ()
        case Claim():
            return claim(state, event, now)
    return state, ()


def before(state: RunState) -> bool:
    """Say whether no transfer of it exists yet."""
    return state.status in BEFORE


def claim(state: RunState, event: Claim, now: datetime) -> Result:
    waits = state.next_attempt_at is not None and state.next_attempt_at > now
    leased = state.lease_until is not None and state.lease_until > now
    if waits or leased:
        return state, ()
    if state.attempts >= ATTEMPTS:
        why = f"Given up: {ATTEMPTS} workers in a row never came back from it"
        given_up = finish(state, Status.QUARANTINED, why, now)
        return given_up, (RunCommand.QUARANTINE, RunCommand.ALERT)
    if not before(state):
        return take(state, now), (RunCommand.DRIVE,)
    if awaits(state) and now < state.too_late:
        return replace(state, next_attempt_at=state.too_late), ()
    if awaits(state) or now > state.too_late:
        return overdue(state, now), ()
    if early(state, now):
        return replace(state, next_attempt_at=state.notice_until), ()
    if event.held:
        return again(state, event.held, now, HOLD), ()
    return take(state, now), (RunCommand.PLAN,)


def take(state: RunState, now: datetime) -> RunState:
    return replace(state, attempts=state.attempts + 1, lease_until=now + LEASE)


def give_back(state: RunState) -> RunState:
    """Return what it was before it was taken: that says nothing of the run."""
    if state.lease_until is None or not before(state):
        return state
    return replace(state, attempts=max(0, state.attempts - 1), lease_until=None)


def early(state: RunState, now: datetime) -> bool:
    """Say whether it may still be cancelled before anything is begun."""
    until = state.notice_until if state.status == Status.NOTIFIED else None
    return until is not None and now < until


def renew(state: RunState, now: datetime) -> RunState:
    """Hold it for longer, unless that was said just now."""
    if state.lease_until is None or state.lease_until > now + LEASE - FRESH:
        return state
    return replace(state, lease_until=now + LEASE)
