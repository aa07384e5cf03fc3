"""What is known of a transfer, what may happen to it, and what may follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto

SKEW = timedelta(minutes=1)  # by which clocks may differ


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
        """Say whether the provider may soon forget the id: half its horizon is over.

        Nobody knows how old an attempt of the future is: the clock was put back since.
        """
        if self.first_sent_at is None:
            return False
        return not -SKEW <= now - self.first_sent_at < self.horizon / 2


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
    """The provider, asked, knows of an earlier attempt; `sure`: by its id."""

    evidence: Evidence
    sure: bool = True


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
class Cancel(Event):
    """A person wants nothing more to be begun."""


@dataclass(frozen=True, slots=True)
class Resume(Event):
    """A person wants it to be tried again."""


@dataclass(frozen=True, slots=True)
class Resolved(Event):
    """A person looked at the bank's own pages and says whether it happened."""

    happened: bool
    reference: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Busy(Event):
    """Another transfer out of the same account is not settled yet."""


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
class Held(Unaffordable):
    """A person has stopped all moves, or those of an account: it waits for their word."""


@dataclass(frozen=True, slots=True)
class Unreadable(Failure):
    """No reading young enough is to be had."""


@dataclass(frozen=True, slots=True)
class AskFailed(Failure):
    """The provider could not be asked what happened."""


@dataclass(frozen=True, slots=True)
class Ambiguous(Failure):
    """The provider's entries may or may not be this transfer: only a person can tell."""


@dataclass(frozen=True, slots=True)
class NotSent(Failure):
    """The attempt failed before the provider could act."""


@dataclass(frozen=True, slots=True)
class Refused(Failure):
    """The provider understood and said no."""


@dataclass(frozen=True, slots=True)
class Lost(Failure):
    """Nobody knows whether the attempt moved the money."""
