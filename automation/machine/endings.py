"""How a transfer ends that did not move, and what then becomes of the money."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from .events import (
    Command,
    DependencyFailed,
    Event,
    Failure,
    Part,
    Refused,
    Status,
    TransferState,
)

Result = tuple[TransferState, tuple[Command, ...]]


def lapse(state: TransferState, event: Event, now: datetime) -> Result:
    """End what was never sent, because its time or its reason is over."""
    if state.status != Status.PENDING:
        return state, ()
    if isinstance(event, DependencyFailed):
        why = Refused("dependency_failed", "The transfer before it did not happen")
        return settle(state, Status.EXPIRED, why, now), ()
    if state.expires_at is None or now < state.expires_at:
        return state, ()
    why = Refused("plan_expired", state.error or "The plan is too old to be sent")
    return impossible(state, why, now, Status.EXPIRED)


def impossible(
    state: TransferState,
    why: Failure,
    now: datetime,
    status: Status = Status.REFUSED,
) -> Result:
    """Settle what did not move, and mind the money that waits between two pots."""
    if state.part == Part.BACK:
        stranded = settle(state, Status.STRANDED, why, now)
        return replace(stranded, needs_person=True), (Command.ALERT,)
    between = (Command.COMPENSATE,) if state.part == Part.SECOND else ()
    return settle(state, status, why, now), between


def settle(
    state: TransferState, status: Status, why: Failure, now: datetime
) -> TransferState:
    return replace(
        state,
        status=status,
        settled_at=now,
        next_attempt_at=None,
        error_code=why.code,
        error=why.why,
    )


def brought_back(state: TransferState) -> Result:
    if state.status != Status.DONE or state.part != Part.FIRST:
        return state, ()
    return replace(state, status=Status.REVERSED), ()


def quarantine(state: TransferState, now: datetime) -> Result:
    if state.settled:
        return state, ()
    why = Refused("quarantined", "The run was given up after too many attempts")
    if state.status == Status.PENDING:
        if state.part in (Part.SECOND, Part.BACK):
            stranded = settle(state, Status.STRANDED, why, now)
            return replace(stranded, needs_person=True), (Command.ALERT,)
        return settle(state, Status.EXPIRED, why, now), ()
    unclear = replace(
        state,
        status=Status.UNKNOWN,
        may_have_moved=True,
        needs_person=True,
        next_attempt_at=None,
        error_code=why.code,
        error=why.why,
    )
    return unclear, (Command.ALERT,)
