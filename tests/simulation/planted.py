"""Bugs that money software has had, each in one part of the simulated system."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from automation import machine
from automation.machine import Command, Evidence, TransferState, events
from automation.services.asking import failure
from automation.services.terms import age
from providers.errors import OutcomeUnknown, ProviderError

from .abreast import Abreast, Turn
from .database import Database
from .network import Network, ServerError
from .play import Parts
from .queue import Queue
from .relay import Successor
from .transfers import Drive

Steps = Generator[float, None, Any]


class NewIdPerAttempt(Drive):
    """Names every attempt anew, by chance."""

    def name(self) -> object:
        return UUID(int=self.world.stage.chance.getrandbits(128))


class IdOfTheTask(Drive):
    """Names a transfer after the task that carries it out."""

    def name(self) -> object:
        task = self.worker.process.message[2]
        return f"{task}/{self.row.move}/{self.row.step}"


class NewIdWhenNotFound(Drive):
    """Takes "not found" for "will not happen", and begins again under another id."""

    def name(self) -> object:
        again = self.world.begun_again.get(self.row.pk, 0)
        return f"{self.row.pk}/{again}" if again else self.row.pk

    def not_found(self) -> machine.Event:
        again = self.world.begun_again
        again[self.row.pk] = again.get(self.row.pk, 0) + 1
        return events.NotFound()


class AmountOfTheMoment(Drive):
    """Computes the amount anew for each attempt."""

    def amount(self) -> int:
        if not self.row.may_have_moved or self.row.step:
            return int(self.row.amount)
        moves = self.worker.decide(self.run).moves
        again = [m.amount for m in moves if m.target == self.row.target_id]
        return again[0] if again else int(self.row.amount)


class SentBeforeWritten(Drive):
    """Writes down that it sends after it has sent."""

    def apply(self, event: machine.Event | None) -> Steps:
        if isinstance(event, events.Affordable):
            state = self.world.rows.transfer_state(self.row, self.part)
            after, commands = machine.step(state, event, self.world.now)
            if Command.SEND in commands:
                answer = yield from self.send()
                yield from self.commit(after, ())
                return (yield from super().apply(answer))
        return (yield from super().apply(event))


class ErrorIsFailure(Drive):
    """Takes the provider's error 500 for a refusal."""

    def heard(self, error: ProviderError) -> machine.Event:
        if isinstance(error, ServerError):
            return failure(events.Refused, error)
        return super().heard(error)


class SilenceIsSuccess(Drive):
    """Takes an answer that never came for a yes."""

    def heard(self, error: ProviderError) -> machine.Event:
        if isinstance(error, OutcomeUnknown) and not isinstance(error, ServerError):
            return events.Answered(Evidence())
        return super().heard(error)


class NoLock(Database):
    """Writes what it decided, whatever happened meanwhile; has no unique index."""

    one_at_a_time = False


class NoSecondLook(Drive):
    """Sends again without asking whether the source can still pay."""

    def check(self) -> Steps:
        if self.row.may_have_moved:
            lease = self.row.next_attempt_at
            self.row.good_until = lease
            return events.Affordable()
            yield
        return (yield from super().check())


class Unforgetful(TransferState):
    """Trusts the provider to remember an id for ever."""

    __slots__ = ()

    def read_only(self, now: Any) -> bool:
        return False


class NoHorizon(Database):
    """Sends again for as long as it takes."""

    state = Unforgetful


class OldReadings(Drive):
    """Spends what an old reading says."""

    def allowed(self) -> int:
        known = self.world.rows.balances[self.row.source_id]
        return max(super().allowed(), age(known, self.world.now))

    def check(self) -> Steps:
        yield from ()
        return self.judge()[0]


class HandedOnBlindly(Drive):
    """Begins the next transfer out of an account whatever that holds by then."""

    def as_judged(self, next_: Successor) -> bool:
        return True


class SecondStepFirst(Drive):
    """Puts money into the second pot without waiting for the first."""

    def first_event(self) -> machine.Event | None:
        if self.row.status != "pending":
            return events.Claim()
        late = self.row.expires_at is not None and self.row.expires_at <= self.world.now
        return events.Expire() if late else events.Claim()


class NoSweeper(Queue):
    """Trusts the queue to deliver every message."""

    sweeps = False


class NoLease(Network):
    """Lets two workers renew one token at once."""

    leases = False


class MixedUp(Abreast):
    """Takes answers that come together for those to each other's questions."""

    def settle(self, heard: Sequence[tuple[Drive, machine.Event]]) -> Steps:
        drives, answers = zip(*heard, strict=True)
        mixed = zip(drives, (*answers[1:], *answers[:1]), strict=True)
        yield from super().settle(list(mixed))


class SentAnyway(Abreast):
    """Sends what was to be written together, and was not."""

    def write_one_by_one(self, turns: Sequence[Turn]) -> Steps:
        for turn in turns:
            draft = turn.worker.draft(turn.run, at_once=True)
            turn.commands, turn.steps = draft.commands, draft.rows
        yield from ()


@dataclass(frozen=True, slots=True)
class Planted:
    """A bug, and what it is."""

    parts: Parts
    what: str


PLANTED: Mapping[str, Planted] = {
    "uuid-id": Planted(Parts(drive=NewIdPerAttempt), "a new id per attempt"),
    "task-id": Planted(Parts(drive=IdOfTheTask), "the task's id as dedupe id"),
    "new-id-on-not-found": Planted(
        Parts(drive=NewIdWhenNotFound), "a new id after 'not found'"
    ),
    "recomputed-amount": Planted(
        Parts(drive=AmountOfTheMoment), "an amount computed per attempt"
    ),
    "state-after-call": Planted(
        Parts(drive=SentBeforeWritten), "the intent written after the call"
    ),
    "500-is-failure": Planted(Parts(drive=ErrorIsFailure), "error 500 taken for no"),
    "timeout-is-ok": Planted(Parts(drive=SilenceIsSuccess), "a timeout taken for yes"),
    "no-lock": Planted(Parts(rows=NoLock), "no compare-and-set, no unique index"),
    "no-recheck": Planted(Parts(drive=NoSecondLook), "no check before sending again"),
    "no-horizon": Planted(Parts(rows=NoHorizon), "sent again after the horizon"),
    "stale-outflow": Planted(Parts(drive=OldReadings), "spending on old readings"),
    "handed-on-blindly": Planted(
        Parts(drive=HandedOnBlindly), "the next begun on what was held before"
    ),
    "leg-2-first": Planted(
        Parts(drive=SecondStepFirst, in_order=False), "the second leg before the first"
    ),
    "lost-sweeper": Planted(Parts(queue=NoSweeper), "no sweeper"),
    "refresh-twice": Planted(Parts(network=NoLease), "one token renewed by two"),
}
# Only in stories of several worlds: `street`.
ABREAST: Mapping[str, Planted] = {
    "mixed-answers": Planted(Parts(abreast=MixedUp), "an answer to somebody else"),
    "rolled-back": Planted(
        Parts(abreast=SentAnyway), "sent though nothing was written"
    ),
}
