"""One transfer: a provider call that moves money, under one id for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from .endings import (
    Result,
    brought_back,
    impossible,
    lapse,
    let_go,
    quarantine,
    resolved,
    resume,
)
from .events import (
    Affordable,
    Ambiguous,
    Answered,
    BroughtBack,
    Busy,
    Cancel,
    Claim,
    Command,
    DependencyFailed,
    Event,
    Evidence,
    Expire,
    Failure,
    Found,
    Held,
    Lost,
    NotFound,
    NotSent,
    Quarantine,
    Refused,
    Resolved,
    Resume,
    Status,
    TransferState,
    Unaffordable,
)

LEASE = timedelta(seconds=45)  # a worker silent for this long has died
BACKOFF = tuple(timedelta(seconds=s) for s in (1, 2, 5, 15, 60))
HOLD = timedelta(seconds=60)  # until money is looked for again
TURN = timedelta(seconds=15)  # for another transfer of the account, if nobody wakes it
BUSY, CONTRADICTION = "account_busy", "contradiction"
REREAD = timedelta(minutes=10)  # between readings while a person is waited for
LONGEST = timedelta(hours=1)  # of all pauses, whatever the provider asks for


def step(state: TransferState, event: Event, now: datetime) -> Result:
    """Return what `event` makes of `state`, and what must be done about it."""
    match event:
        case Claim():
            return claim(state, now)
        case BroughtBack():
            return brought_back(state)
        case Busy():
            return stand_in_line(state, now)
        case Quarantine():
            return quarantine(state, now)
        case Expire() | DependencyFailed():
            return lapse(state, event, now)
        case Cancel() | Resume() | Resolved() | Held():
            return by_a_person(state, event, now)
    if state.status != Status.SENDING:
        return state, ()  # it came too late: somebody else has settled it
    return heard(state, event, now)


def by_a_person(state: TransferState, event: Event, now: datetime) -> Result:
    """Return what follows from a person's word."""
    match event:
        case Cancel():
            return let_go(state, now)
        case Resume():
            return resume(state, now)
        case Resolved():
            return resolved(state, event, now)
        case Held() if state.status == Status.PENDING:
            return wait(state, event.code, event.why, now + HOLD), ()
        case Held() if state.status == Status.SENDING:
            return failed(state, event, now)
    return state, ()


def heard(state: TransferState, event: Event, now: datetime) -> Result:
    """Return what follows for a transfer that is being sent."""
    match event:
        case Failure():
            return failed(state, event, now)
        case Affordable():
            return may_send(state, now)
        case Answered(evidence):
            return answered(state, evidence, now)
        case Found(evidence, sure):
            return found(state, evidence, now, sure=sure)
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


def stand_in_line(state: TransferState, now: datetime) -> Result:
    """Wait, unclaimed, until the account is free."""
    if state.status != Status.PENDING:
        return state, ()
    why = "Another transfer out of this account is not settled yet"
    return wait(state, BUSY, why, now + TURN), ()


def wait(state: TransferState, code: str, why: str, until: datetime) -> TransferState:
    return replace(state, next_attempt_at=until, error_code=code, error=why)


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


def found(
    state: TransferState, evidence: Evidence, now: datetime, *, sure: bool
) -> Result:
    if why := evidence.contradicts(state):
        return contradicted(state, evidence, why)
    return done(state, evidence, now, verified=sure)


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
        error_code=CONTRADICTION,
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
    if isinstance(event, Ambiguous):
        return wait_for_person(state, event, now)
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
    asked = min(event.retry_after or 0, LONGEST.total_seconds())
    return max(pause, timedelta(seconds=asked))
