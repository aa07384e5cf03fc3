"""A plan before money moves: asked about, announced, held against what was seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from .runs import Moves, Planned, Result, RunCommand, RunState, Status
from .transfer import LEASE

RETRY = timedelta(seconds=60)  # between tries to read what is needed for a plan
AFTER_SYNC = timedelta(minutes=15)  # for money, should the news of a sync be lost


def planned(state: RunState, event: Planned, now: datetime) -> Result:
    """Return what follows from a decision that a worker came to."""
    if state.lease_until is None:
        return state, ()  # nobody was asked to decide
    if now > state.too_late:
        return overdue(state, now), ()
    state = replace(state, outcome=event.outcome)
    if event.outcome == Status.PLANNED:
        return look(state, event, now) if event.dry else agree(state, event, now)
    if event.retry and now + RETRY <= state.too_late:
        stale = event.outcome == Status.SKIPPED_STALE
        return again(state, event.reason, now, RETRY if stale else AFTER_SYNC), ()
    return finish(state, event.outcome, event.reason, now), ()


def look(state: RunState, event: Planned, now: datetime) -> Result:
    """End a dry run: what it would have moved is told, and nothing was."""
    seen = replace(state, moves=event.moves, planned_at=now)
    why = f"Dry run, nothing was moved. It would be: {event.reason}"
    return finish(seen, Status.NOTHING_TO_DO, why, now), ()


def agree(state: RunState, event: Planned, now: datetime) -> Result:
    """Hold a plan against the one that was approved or announced, if there was one."""
    approved = state.approved_at is not None
    noticed = state.notice_until is not None
    moves: Moves | None = event.moves
    if approved or noticed:
        moves = common(state.moves, event.moves, state.terms.tolerance)
        if moves is None:
            return changed(state, event, now)
    if event.ask and approved:
        return read_first(state, event, now)
    if not approved and (event.ask or state.terms.approval):
        return ask(state, event, now)
    if not (approved or noticed) and state.terms.notice:
        return announce(state, event, now)
    kept = replace(
        state,
        status=Status.PLANNED,
        moves=moves or (),
        planned_at=now,
        reason=event.reason,
        next_attempt_at=None,
        lease_until=now + LEASE,
    )
    return kept, (RunCommand.DRIVE,)


def common(seen: Moves, now: Moves, tolerance: int) -> Moves | None:
    """Return what both plans allow, move by move; None if they are not the same plan.

    The same plan has the same moves in the same order, none differing by more than
    `tolerance`. Of two amounts the smaller is moved: never more than was approved, and
    never more than there is now.
    """
    if len(seen) != len(now):
        return None
    both = list(zip(seen, now, strict=True))
    for old, new in both:
        if (old.source, old.target) != (new.source, new.target):
            return None
        if abs(old.amount - new.amount) > tolerance:
            return None
    return tuple(min(pair, key=lambda move: move.amount) for pair in both)


def changed(state: RunState, event: Planned, now: datetime) -> Result:
    """Move nothing of a plan that nobody saw: ask or announce again, or end.

    A plan may change each time: none is announced after the latest moment at which the
    first notice could have been over.
    """
    why = f"The plan has changed: {event.change}"
    if state.status == Status.DUE:
        # Somebody asked for one plan and no other.
        return finish(state, Status.CANCELLED, why, now), ()
    told = replace(event, reason=why)
    if state.approved_at is not None or event.ask or state.terms.approval:
        return ask(state, told, now)
    if now > state.deadline + state.terms.notice:
        late = f"{why}. It is too late to announce it again"
        return finish(state, Status.MISSED, late, now), ()
    return announce(state, told, now)


def read_first(state: RunState, event: Planned, now: datetime) -> Result:
    """Keep the yes; money is moved as soon as a fresh reading agrees."""
    if now + RETRY > state.too_late:
        why = f"Approved, but not read afresh in time, so nothing moved: {event.reason}"
        return finish(state, Status.SKIPPED_STALE, why, now), ()
    why = f"Approved, but it cannot be read afresh yet: {event.reason}"
    return again(state, why, now, RETRY), ()


def ask(state: RunState, event: Planned, now: datetime) -> Result:
    waiting = rest(state, event, now)
    waiting = replace(
        waiting,
        status=Status.AWAITING_APPROVAL,
        approved_at=None,
        notice_until=None,
        next_attempt_at=now + state.terms.shelf_life,
    )
    return waiting, (RunCommand.TELL,)


def announce(state: RunState, event: Planned, now: datetime) -> Result:
    until = now + max(state.terms.notice, RETRY)
    waiting = rest(state, event, now)
    waiting = replace(
        waiting, status=Status.NOTIFIED, notice_until=until, next_attempt_at=until
    )
    return waiting, (RunCommand.TELL,)


def rest(state: RunState, event: Planned, now: datetime) -> RunState:
    return replace(
        state,
        moves=event.moves,
        planned_at=now,
        reason=event.reason,
        attempts=0,
        lease_until=None,
    )


def again(
    state: RunState, reason: str, now: datetime, pause: timedelta = RETRY
) -> RunState:
    """Let go of it, and try once more later, but not when it is too late."""
    return replace(
        state,
        reason=reason,
        attempts=0,
        lease_until=None,
        next_attempt_at=min(now + pause, state.too_late),
    )


def approve(state: RunState, now: datetime) -> RunState:
    """Let the plan that is shown be carried out, unless it is too old by now."""
    if state.status != Status.AWAITING_APPROVAL or state.approved_at is not None:
        return state
    if now >= state.too_late:
        return state
    return replace(state, approved_at=now, next_attempt_at=now)


def awaits(state: RunState) -> bool:
    """Say whether only a person can let it go on."""
    return state.status == Status.AWAITING_APPROVAL and state.approved_at is None


def overdue(state: RunState, now: datetime) -> RunState:
    """End it: what was tried in vain says so, what nobody began is missed."""
    if awaits(state):
        why = f"Nobody approved the plan within {state.terms.shelf_life}; it is too old"
        return finish(state, Status.MISSED, why, now)
    if state.outcome.startswith("skipped_"):
        return finish(state, state.outcome, state.reason, now)
    last = f" ({state.reason})" if state.reason else ""
    return finish(state, Status.MISSED, f"Nobody could start it in time{last}", now)


def finish(state: RunState, status: str, reason: str, now: datetime) -> RunState:
    return replace(
        state,
        status=status,
        reason=reason,
        lease_until=None,
        next_attempt_at=None,
        finished_at=now,
    )
