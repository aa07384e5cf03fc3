"""What may happen to a run and to a transfer. Pure: no database, no clock, no network.

`step(state, event, now)` returns the state that follows and the commands to perform,
in order. An event that a state does not expect changes nothing and commands nothing,
so a worker that wakes late does no harm. Services load rows, apply, save by
compare-and-set and perform the commands; a simulator drives the same functions.
"""

from __future__ import annotations

from datetime import datetime
from typing import overload

from . import events, run, transfer
from .events import Command, Event, Evidence, Part, TransferState
from .run import RunCommand, RunEvent, RunState

__all__ = [
    "Command",
    "Event",
    "Evidence",
    "Part",
    "RunCommand",
    "RunEvent",
    "RunState",
    "TransferState",
    "events",
    "run",
    "step",
    "transfer",
]


@overload
def step(
    state: TransferState, event: Event, now: datetime
) -> tuple[TransferState, tuple[Command, ...]]: ...
@overload
def step(
    state: RunState, event: RunEvent, now: datetime
) -> tuple[RunState, tuple[RunCommand, ...]]: ...
def step(
    state: TransferState | RunState, event: Event | RunEvent, now: datetime
) -> tuple[TransferState | RunState, tuple[Command | RunCommand, ...]]:
    """Return what `event` makes of `state` at `now`, and what must be done about it."""
    if isinstance(state, TransferState):
        assert isinstance(event, Event)
        return transfer.step(state, event, now)
    assert isinstance(event, RunEvent)
    return run.step(state, event, now)
