"""How a run ends, by itself or by a person, and how it goes on after a bad end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from . import events
from .events import Part
from .runs import (
    BEFORE,
    ENDED_BADLY,
    UNFINISHED,
    Cancel,
    Progress,
    Result,
    Resume,
    RunCommand,
    RunState,
    Status,
    Step,
)
from .waiting import finish

RESEND = timedelta(seconds=15)  # until the sweeper looks at open transfers again


def progress(state: RunState, event: Progress, now: datetime) -> Result:
    """Wait for what is open, or say how it ended. An end may still turn out better."""
    if state.status not in (UNFINISHED - BEFORE) | ENDED_BADLY:
        return state, ()
    waiting = [s for s in event.steps if s.open]
    if waiting:
        first = now if event.more else next_look(waiting[0], now)
        return wait(state, first), ()
    return conclude(state, event.steps, state.reason, now)


def conclude(
    state: RunState, steps: Sequence[Step], reason: str, now: datetime
) -> Result:
    status, reason = conclusion(steps, reason)
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
    between = [s for s in steps if s.status == events.Status.STRANDED]
    if any(s.needs_person for s in between):
        return Status.STRANDED, "Money waits between two pots: a person must decide"
    if moved == len(moves):
        return Status.SUCCEEDED, reason
    unclear = sum(s.needs_person for s in steps)
    cancelled = sum(s.cancelled and s.part != Part.FIRST for s in moves)
    text = f"{whole} of {sum(s.part != Part.FIRST for s in moves)} moves were made"
    text += f"; {cancelled} were cancelled" if cancelled else ""
    text += f"; {unclear} wait for a person" if unclear else ""
    text += "; what lies between two pots stays there" if between else ""
    if cancelled and not moved and not unclear:
        return Status.CANCELLED, text
    return Status.PARTIAL if whole else Status.FAILED, text


def cancel(state: RunState, event: Cancel, now: datetime) -> Result:
    """Begin nothing more of it. What was begun is finished: it cannot be called back."""
    if state.status in BEFORE:
        return finish(state, Status.CANCELLED, event.reason, now), ()
    if state.status == Status.QUARANTINED:
        return let_go(state, event, now)
    if state.status not in UNFINISHED or any(step.open for step in event.steps):
        return state, ()
    return conclude(state, event.steps, state.reason, now)


def let_go(state: RunState, event: Cancel, now: datetime) -> Result:
    """Say how a quarantined run ends that a person gave up."""
    if not event.steps:
        return finish(state, Status.CANCELLED, event.reason, now), ()
    steps = [replace(s, cancelled=lapsed(s)) for s in event.steps]
    return conclude(state, steps, state.reason, now)


def lapsed(step: Step) -> bool:
    return step.cancelled or step.status == events.Status.EXPIRED


def resume(state: RunState, event: Resume, now: datetime) -> Result:
    """Let a run that ended badly go on, if one of its transfers may.

    Without transfers it is planned anew, and what was approved stays binding.
    """
    given_up = state.status == Status.QUARANTINED
    if given_up and not event.steps:
        return plan_anew(state, now), ()
    if not given_up and state.status not in ENDED_BADLY:
        return state, ()
    if any(step.open for step in event.steps):
        return wait(state, now), ()
    return conclude(state, event.steps, state.reason, now)


def plan_anew(state: RunState, now: datetime) -> RunState:
    fresh = replace(
        state,
        status=Status.DUE,
        attempts=0,
        lease_until=None,
        next_attempt_at=now,
        finished_at=None,
        notice_until=None,
    )
    return state if now > fresh.too_late else fresh
