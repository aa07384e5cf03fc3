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
    Resolved,
    Status,
    TransferState,
)

Result = tuple[TransferState, tuple[Command, ...]]
CANCELLED, QUARANTINED = "cancelled", "quarantined"


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


def let_go(state: TransferState, now: datetime) -> Result:
    """End what was not sent. Money on its way back is never called off."""
    unsent = state.status == Status.PENDING or (
        state.status == Status.SENDING and state.first_sent_at is None
    )
    if not unsent or state.part == Part.BACK:
        return state, ()
    why = Refused(CANCELLED, "Cancelled before it was sent")
    return settle(state, Status.EXPIRED, why, now), ()


def resume(state: TransferState, now: datetime) -> Result:
    """Make ready, under its own id, what certainly moved nothing and is not too old.

    Not what a person cancelled, nor what a provider may have begun to forget: for that
    there are new runs. Where it may have moved, only the run's end is taken back, so
    that it is asked for again.
    """
    doubt = state.status == Status.UNKNOWN and state.error_code == QUARANTINED
    if doubt and state.needs_person:
        return replace(state, needs_person=False, next_attempt_at=now), ()
    if not resumable(state, now):
        return state, ()
    ready = replace(
        state,
        status=Status.PENDING,
        needs_person=False,
        first_sent_at=None,
        next_attempt_at=None,
        settled_at=None,
        error_code="",
        error="",
    )
    return ready, ()


def resumable(state: TransferState, now: datetime) -> bool:
    """Say whether a transfer that ended may be tried again under its id."""
    ended = state.status in (Status.REFUSED, Status.EXPIRED, Status.STRANDED)
    if not ended or state.may_have_moved or state.error_code == CANCELLED:
        return False
    young = state.expires_at is None or now < state.expires_at
    sent = state.first_sent_at
    return young and (sent is None or now < sent + state.horizon)


def resolved(state: TransferState, event: Resolved, now: datetime) -> Result:
    """End what waited for a person as that person says; nothing is sent because of it.

    What did not happen between two pots stays in sight as stranded, until a person says
    that it got there by hand, or that it stays where it is.
    """
    if not state.needs_person or state.status not in (Status.UNKNOWN, Status.STRANDED):
        return state, ()
    if event.happened:
        done = settle(state, Status.DONE, Refused("", ""), now)
        reference = event.reference or state.reference
        return replace(done, needs_person=False, reference=reference), (Command.BOOK,)
    if state.status == Status.STRANDED:
        return replace(state, needs_person=False), ()
    why = Refused("not_happened", event.note or "A person says that it did not happen")
    if state.part in (Part.SECOND, Part.BACK):
        return settle(state, Status.STRANDED, why, now), ()
    return replace(settle(state, Status.REFUSED, why, now), needs_person=False), ()


def quarantine(state: TransferState, now: datetime) -> Result:
    if state.settled:
        return state, ()
    why = Refused(QUARANTINED, "The run was given up after too many attempts")
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
