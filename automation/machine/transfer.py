"""One transfer: a provider call that moves money, under one id for ever."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum, auto

LEASE = timedelta(seconds=45)  # a worker silent for this long has died
BACKOFF = tuple(timedelta(seconds=s) for s in (1, 2, 5, 15, 60))
HOLD = timedelta(seconds=60)  # until money is looked for again
REREAD = timedelta(minutes=10)  # between readings while a person is waited for


class Status(StrEnum):
    PENDING = auto()
    SENDING = auto()
    DONE = auto()
    REFUSED = auto()
    UNKNOWN = auto()
    STRANDED = auto()
    REVERSED = auto()
    EXPIRED = auto()


SETTLED = frozenset(
    {Status.DONE, Status.REFUSED, Status.STRANDED, Status.REVERSED, Status.EXPIRED}
)


class Part(StrEnum):
    """What a transfer is of its move."""

    ONLY = auto()
    FIRST = auto()  # out of a pot, into the account around it
    SECOND = auto()  # from there into the other pot
    BACK = auto()  # from there back into the first pot


class Command(StrEnum):
    ASK = auto()  # ask the provider what came of the earlier attempts
    CHECK = auto()  # make sure, on a live reading, that the source can pay
    SEND = auto()
    BOOK = auto()  # enter the new balances
    COMPENSATE = auto()  # bring the money back to where it came from
    ALERT = auto()  # tell a person
    FREEZE = auto()  # stop the rule: the provider did something else


@dataclass(frozen=True, slots=True)
class TransferState:
    """What is known of one transfer; amounts in minor units of `asset`."""

    amount: int
    asset: str
    horizon: timedelta  # how long the provider is trusted to remember an id
    part: Part = Part.ONLY
    status: Status = Status.PENDING
    attempts: int = 0
    may_have_moved: bool = False
    needs_person: bool = False
    verified: bool = False
    first_sent_at: datetime | None = None
    sent_at: datetime | None = None
    next_attempt_at: datetime | None = None
    settled_at: datetime | None = None
    expires_at: datetime | None = None
    reference: str = ""
    error_code: str = ""
    error: str = ""

    @property
    def settled(self) -> bool:
        return self.status in SETTLED

    def due(self, now: datetime) -> bool:
        """Say whether a worker may take this now."""
        if self.status == Status.PENDING:
            return self.next_attempt_at is None or self.next_attempt_at <= now
        return self.next_attempt_at is not None and self.next_attempt_at <= now

    def read_only(self, now: datetime) -> bool:
        """Say whether the provider may soon forget the id: half its horizon is over."""
        return (
            self.first_sent_at is not None
            and now >= self.first_sent_at + self.horizon / 2
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a provider says it moved. None: it does not say."""

    reference: str = ""
    amount: int | None = None
    asset: str | None = None
    balance_agrees: bool | None = None  # the pot now holds what it should

    def contradicts(self, state: TransferState) -> str:
        """Return what is wrong, if the provider moved something else."""
        if self.amount is not None and self.amount != state.amount:
            return f"The provider says it moved {self.amount}, not {state.amount}"
        if self.asset is not None and self.asset != state.asset:
            return f"The provider says it moved {self.asset}, not {state.asset}"
        return ""


class Event:
    """Something that happened to a transfer."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Claim(Event):
    """A worker wants to take it."""


@dataclass(frozen=True, slots=True)
class Affordable(Event):
    """A reading young enough shows that the source can pay."""


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """The provider says it made the transfer."""

    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Found(Event):
    """The provider, asked, knows of an earlier attempt."""

    evidence: Evidence


@dataclass(frozen=True, slots=True)
class NotFound(Event):
    """The provider, asked, knows of none. That proves nothing."""


@dataclass(frozen=True, slots=True)
class DependencyFailed(Event):
    """The transfer that had to come first will not happen."""


@dataclass(frozen=True, slots=True)
class Expire(Event):
    """The plan may be too old to be sent."""


@dataclass(frozen=True, slots=True)
class BroughtBack(Event):
    """The compensation of this first step is done."""


@dataclass(frozen=True, slots=True)
class Quarantine(Event):
    """The run killed its workers too often; nothing more is sent."""


@dataclass(frozen=True, slots=True)
class Failure(Event):
    """Something went wrong; the class says what that proves."""

    code: str
    why: str = ""
    retry_after: float | None = None  # seconds, where the provider named them


@dataclass(frozen=True, slots=True)
class Unaffordable(Failure):
    """The source cannot pay now, or must not be touched."""


@dataclass(frozen=True, slots=True)
class Unreadable(Failure):
    """No reading young enough is to be had."""


@dataclass(frozen=True, slots=True)
class AskFailed(Failure):
    """The provider could not be asked what happened."""


@dataclass(frozen=True, slots=True)
class NotSent(Failure):
    """The attempt failed before the provider could act."""


@dataclass(frozen=True, slots=True)
class Refused(Failure):
    """The provider understood and said no."""


@dataclass(frozen=True, slots=True)
class Lost(Failure):
    """Nobody knows whether the attempt moved the money."""


Result = tuple[TransferState, tuple[Command, ...]]


def step(state: TransferState, event: Event, now: datetime) -> Result:
    """Return what `event` makes of `state`, and what must be done about it."""
    match event:
        case Claim():
            return claim(state, now)
        case BroughtBack():
            return brought_back(state)
        case Quarantine():
            return quarantine(state, now)
        case Expire() | DependencyFailed():
            return lapse(state, event, now)
    if state.status != Status.SENDING:
        return state, ()  # it came too late: somebody else has settled it
    return heard(state, event, now)


def heard(state: TransferState, event: Event, now: datetime) -> Result:
    """Return what follows for a transfer that is being sent."""
    match event:
        case Failure():
            return failed(state, event, now)
        case Affordable():
            return may_send(state, now)
        case Answered(evidence):
            return answered(state, evidence, now)
        case Found(evidence):
            return found(state, evidence, now)
        case NotFound():
            return not_found(state, now)
    return state, ()


def claim(state: TransferState, now: datetime) -> Result:
    if state.settled or not state.due(now):
        return state, ()
    # A worker that died after it was told to send may have sent.
    doubt = state.first_sent_at is not None
    taken = replace(
        state,
        status=Status.SENDING,
        attempts=state.attempts + 1,
        may_have_moved=doubt,
        next_attempt_at=now + LEASE,
    )
    return taken, (Command.ASK if doubt else Command.CHECK,)


def may_send(state: TransferState, now: datetime) -> Result:
    """Note the moment, to be committed before the provider is asked."""
    late = state.next_attempt_at is None or now >= state.next_attempt_at
    forgotten = state.may_have_moved and (state.read_only(now) or state.needs_person)
    if late or forgotten:
        return release(state, NotSent("too_late", "The worker was held up"), now), ()
    sending = replace(
        state,
        sent_at=now,
        first_sent_at=state.first_sent_at or now,
        next_attempt_at=now + LEASE,
    )
    return sending, (Command.SEND,)


def answered(state: TransferState, evidence: Evidence, now: datetime) -> Result:
    if why := evidence.contradicts(state):
        return contradicted(state, evidence, why)
    if evidence.balance_agrees is False:
        doubted = replace(
            state,
            status=Status.UNKNOWN,
            may_have_moved=True,
            needs_person=True,
            reference=evidence.reference,
            next_attempt_at=now + HOLD,
            error_code="balance_disagrees",
            error="The balance after the transfer is not what it should be",
        )
        return doubted, (Command.ALERT,)
    return done(state, evidence, now, verified=evidence.balance_agrees is True)


def found(state: TransferState, evidence: Evidence, now: datetime) -> Result:
    if why := evidence.contradicts(state):
        return contradicted(state, evidence, why)
    return done(state, evidence, now, verified=True)


def done(
    state: TransferState, evidence: Evidence, now: datetime, *, verified: bool
) -> Result:
    settled = replace(
        state,
        status=Status.DONE,
        verified=verified,
        needs_person=False,
        reference=evidence.reference or state.reference,
        settled_at=now,
        next_attempt_at=None,
        error_code="",
        error="",
    )
    return settled, (Command.BOOK,)


def contradicted(state: TransferState, evidence: Evidence, why: str) -> Result:
    """Never call it done, never send it again: only a person can tell."""
    unclear = replace(
        state,
        status=Status.UNKNOWN,
        may_have_moved=True,
        needs_person=True,
        reference=evidence.reference,
        next_attempt_at=None,
        error_code="contradiction",
        error=why,
    )
    return unclear, (Command.FREEZE, Command.ALERT)


def not_found(state: TransferState, now: datetime) -> Result:
    if state.read_only(now) or state.needs_person:
        why = NotSent("not_found", state.error or "The provider does not know of it")
        return wait_for_person(state, why, now)
    return state, (Command.CHECK,)


def wait_for_person(state: TransferState, why: Failure, now: datetime) -> Result:
    """Keep the amount reserved and keep reading; the account is free for others."""
    waiting = replace(
        state,
        status=Status.UNKNOWN,
        needs_person=True,
        next_attempt_at=now + REREAD,
        error_code=state.error_code if state.needs_person else why.code,
        error=state.error if state.needs_person else why.why,
    )
    return waiting, () if state.needs_person else (Command.ALERT,)


def failed(state: TransferState, event: Failure, now: datetime) -> Result:
    if isinstance(event, Lost):
        return release(replace(state, may_have_moved=True), event, now), ()
    if isinstance(event, Refused) and not state.may_have_moved:
        return impossible(state, event, now)
    if state.may_have_moved and (state.read_only(now) or state.needs_person):
        return wait_for_person(state, event, now)
    return release(state, event, now), ()


def release(state: TransferState, event: Failure, now: datetime) -> TransferState:
    """Let go of it until later. Without a doubt about the past it never was sent."""
    doubt = state.may_have_moved
    return replace(
        state,
        status=Status.UNKNOWN if doubt else Status.PENDING,
        first_sent_at=state.first_sent_at if doubt else None,
        next_attempt_at=now + delay(state, event),
        error_code=event.code,
        error=event.why,
    )


def delay(state: TransferState, event: Failure) -> timedelta:
    if isinstance(event, Unaffordable):
        return HOLD
    pause = BACKOFF[min(max(state.attempts, 1), len(BACKOFF)) - 1]
    return max(pause, timedelta(seconds=min(event.retry_after or 0, 3600)))


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
