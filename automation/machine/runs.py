"""What is known of a run, what may happen to it, and what may follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto

from . import events
from .events import Part


class Status(StrEnum):
    DUE = auto()
    NOTIFIED = auto()  # told; may be cancelled until its notice is over
    AWAITING_APPROVAL = auto()
    PLANNED = auto()
    RUNNING = auto()
    SUCCEEDED = auto()
    PARTIAL = auto()
    FAILED = auto()
    STRANDED = auto()
    CANCELLED = auto()
    MISSED = auto()
    QUARANTINED = auto()
    NOTHING_TO_DO = auto()
    SKIPPED_STALE = auto()


# No transfer of it exists yet.
BEFORE = frozenset({Status.DUE, Status.NOTIFIED, Status.AWAITING_APPROVAL})
UNFINISHED = BEFORE | {Status.PLANNED, Status.RUNNING}
# Ended, but a person may resume it, and the truth may still turn out better.
ENDED_BADLY = frozenset({Status.PARTIAL, Status.FAILED, Status.STRANDED})


class RunCommand(StrEnum):
    PLAN = auto()  # sync, plan, and commit what follows
    TELL = auto()  # tell whoever may approve or cancel what is planned
    DRIVE = auto()  # take the transfers further, in order
    QUARANTINE = auto()  # send nothing more of it
    ALERT = auto()
    SUCCEED = auto()  # start cooldowns


@dataclass(frozen=True, slots=True)
class Move:
    """Money that should go from one account to another, in minor units."""

    source: str
    target: str
    amount: int


Moves = tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rule wants to happen before money moves."""

    approval: bool = False  # a person has to say yes
    notice: timedelta = timedelta(0)  # how long a plan may be cancelled first
    tolerance: int = 0  # by how much a move may differ from the plan that was seen
    shelf_life: timedelta = timedelta(hours=6)  # of a plan that waits


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
    outcome: str = ""  # what the newest plan came to
    moves: Moves = ()  # of the newest plan
    planned_at: datetime | None = None
    approved_at: datetime | None = None
    notice_until: datetime | None = None
    terms: Terms = Terms()

    @property
    def finished(self) -> bool:
        return self.status not in UNFINISHED

    @property
    def too_late(self) -> datetime:
        """Return after which moment its plan is made or carried out no more."""
        if self.status == Status.NOTIFIED and self.notice_until is not None:
            return self.notice_until + self.terms.shelf_life
        if self.status == Status.AWAITING_APPROVAL and self.planned_at is not None:
            return self.planned_at + self.terms.shelf_life
        if self.approved_at is not None:  # a plan that was seen before it was asked for
            return min(self.deadline, self.approved_at + self.terms.shelf_life)
        return self.deadline


@dataclass(frozen=True, slots=True)
class Step:
    """What a run needs to know of one of its transfers."""

    status: str
    part: Part = Part.ONLY
    needs_person: bool = False
    next_attempt_at: datetime | None = None
    cancelled: bool = False

    @property
    def open(self) -> bool:
        """Whether it may still settle by itself."""
        return self.status not in events.SETTLED and not self.needs_person


class RunEvent:
    """Something that happened to a run."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Claim(RunEvent):
    """A worker wants to take it. `held`: why nothing may be begun just now."""

    held: str = ""


@dataclass(frozen=True, slots=True)
class Planned(RunEvent):
    """The planner decided. `outcome` is `planned` or why nothing will move.

    `change` says, where a plan was seen before, how this one differs from it.
    """

    outcome: str
    reason: str = ""
    retry: bool = False  # worth another try before it is too late
    ask: bool = False  # it rests on old readings: only a person may say yes
    dry: bool = False  # it is to be looked at only
    moves: Moves = ()
    change: str = ""


@dataclass(frozen=True, slots=True)
class Approve(RunEvent):
    """A person says yes to the plan that is shown."""


@dataclass(frozen=True, slots=True)
class Cancel(RunEvent):
    """A person wants nothing more of it to be begun.

    `steps`: its transfers, after those that were not begun were given up.
    """

    reason: str
    steps: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Resume(RunEvent):
    """A person wants it to go on. `steps`: its transfers, made ready to go on."""

    steps: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Renew(RunEvent):
    """The worker that holds it takes the next transfer."""


@dataclass(frozen=True, slots=True)
class GiveBack(RunEvent):
    """The worker that holds it has no time to begin it."""


@dataclass(frozen=True, slots=True)
class Progress(RunEvent):
    """The transfers were taken as far as they go now.

    `more`: the worker's turn is over, though nothing else is waited for.
    """

    steps: Sequence[Step]
    more: bool = False


Result = tuple[RunState, tuple[RunCommand, ...]]
