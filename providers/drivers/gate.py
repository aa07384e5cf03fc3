"""The gate before a provider: its breaker and budget, cheap enough to ask for each request."""

from __future__ import annotations

import os
from collections import Counter
from secrets import token_hex
from threading import Lock
from time import monotonic, time

from providers.breaker import Breaker, Report, State, Verdict
from providers.errors import CircuitOpen
from providers.source_health import (
    Judgement,
    LocalRecords,
    Records,
    Tally,
    judge,
)

from .rations import Rations, Turnstile

FRESH = 1.0  # seconds for which a closed circuit is believed closed
SOON = 0.2  # seconds between looks at a circuit that is half open
MANY = 5  # unreported failures that are worth a report at once
OLD = 10.0  # seconds; what happened longer ago says nothing about now


class Gate:
    """Counts what happened and asks the breaker once a second, not once a request."""

    def __init__(
        self,
        breaker: Breaker,
        rations: Rations | None = None,
        turnstile: Turnstile | None = None,
        records: Records | None = None,
    ) -> None:
        self.breaker, self.records = breaker, records or LocalRecords()
        self.rations, self.turnstile = rations, turnstile
        self._token = f"{os.getpid()}-{token_hex(8)}"
        self._lock, self._asking = Lock(), Lock()
        self._verdict = Verdict(State.CLOSED)
        self._looked_at, self._look_at = -OLD, 0.0
        self._ok = self._failed = 0
        self._kinds = Counter[str]()
        self._telling = (0, 0)  # what was counted before, and is being told
        self._hold = self._since = 0.0  # seconds; when the oldest count was made
        self._outcome, self._urgent = "", False
        self._tally, self._ill = Tally(), False

    @property
    def fresh(self) -> bool:
        """Say whether the last verdict may be believed without asking again."""
        return monotonic() < self._look_at and not self._urgent

    @property
    def wide_open(self) -> bool:
        """Say whether a request may pass without a word: no look, no budget, no probe."""
        closed = self._verdict.state is State.CLOSED
        return closed and self.rations is None and self.fresh

    @property
    def passable(self) -> bool:
        """Say whether to go ahead on the last verdict while a newer one is fetched."""
        recent = monotonic() < self._looked_at + OLD
        calm = recent and not self._urgent
        return calm and self._verdict.state is State.CLOSED

    @property
    def unreported(self) -> bool:
        """Say whether failures or a probe's outcome wait to be told to the others."""
        healing = self._ill and self._tally.ok
        return bool(self._failed or self._outcome or self._hold or healing)

    def knock(self) -> None:
        """Raise CircuitOpen if no request could go now."""
        verdict = self._verdict
        if verdict.state is not State.CLOSED and not verdict.probe:
            raise CircuitOpen(retry_after=max(verdict.left / 1000, SOON))

    def enter(self) -> bool:
        """Let one request through and say whether it is the probe; raises CircuitOpen."""
        if self._verdict.state is State.CLOSED:
            return False
        with self._lock:
            self.knock()
            if self._verdict.state is State.HALF_OPEN:
                self._verdict = Verdict(State.HALF_OPEN, left=int(SOON * 1000))
                return True
        return False

    def leave(
        self,
        *,
        ok: bool,
        probe: bool = False,
        hold: float = 0,
        kind: str = "down",
        took: float | None = None,
    ) -> None:
        """Count one request; `hold`: seconds for which the provider wants to be left alone.

        `kind` is the category of a failure, `took` how many seconds it lasted.
        """
        with self._lock:
            self._tally.add(ok, took, kind)
            if not ok:
                self._kinds[kind] += 1
            self._since = self._since or monotonic()
            self._ok += ok
            self._failed += not ok
            self._hold = max(self._hold, hold)
            if probe:
                self._outcome = "ok" if ok else "failed"
            self._urgent |= self._loud()

    def withdraw(self) -> None:
        """Hand back a probe that was not sent, so that somebody else can send it."""
        with self._lock:
            self._outcome, self._urgent = "unused", True

    def refresh(self, wants: bool = True) -> None:
        """Tell the breaker what happened here, and learn what happened elsewhere."""
        with self._asking:
            if self.fresh:
                return  # somebody else asked while this one waited
            self._exchange(wants)

    def flush(self) -> None:
        """Tell the breaker what happened here, without wanting to send."""
        with self._asking:
            self._exchange(wants=False)

    def postpone(self) -> None:
        """Believe the last verdict a little longer: a newer one is being fetched."""
        with self._lock:
            self._look_at, self._urgent = monotonic() + FRESH, False

    def state(self) -> Verdict:
        """Return the circuit as the breaker sees it, for people to look at."""
        with self._asking:
            return self.breaker.exchange(Report())

    def health(self) -> Judgement:
        """Return how the source is, for people to look at; raises StoreAway."""
        record, times = self.records.read()
        return judge(record, self.state(), times, time())

    def reset(self) -> None:
        """Close the circuit; raises StoreAway where the others cannot be told."""
        with self._asking:
            self.breaker.reset()
            self._look_at = 0.0

    def _exchange(self, wants: bool) -> None:
        verdict = self.breaker.exchange(self._report(wants))
        self._tell(opened=verdict.state is State.OPEN)
        with self._lock:
            self._verdict, self._looked_at = verdict, monotonic()
            self._telling = (0, 0)
            self._look_at = self._looked_at + _believed(verdict)
            # What happened while the breaker was told is still to be told.
            self._urgent = self._loud()

    def _tell(self, *, opened: bool) -> None:
        """Let the others know how the source is, where there is anything new."""
        with self._lock:
            seen, self._tally = self._tally.seen(), Tally()
        if seen.ok or seen.failed or (opened and not self._ill):
            self._ill = self.records.tell(seen, opened=opened).ill

    def _loud(self) -> bool:
        """Say whether no request may pass before what happened here has been told."""
        ok = self._verdict.ok + self._telling[0] + self._ok
        new = self._telling[1] + self._failed
        failed = self._verdict.failed + new
        tips = new > 0 and self.breaker.thresholds.reached(ok, failed)
        return tips or bool(self._outcome or self._hold or self._failed >= MANY)

    def _report(self, wants: bool) -> Report:
        with self._lock:
            old = self._since and monotonic() - self._since > OLD
            counts = (0, 0) if old else (self._ok, self._failed)
            hold, outcome = int(self._hold * 1000), self._outcome
            if self._verdict.probe:
                outcome = "unused"  # nobody came to send the probe it was given
            self._telling, kinds = counts, dict(self._kinds)
            self._forget()
        return Report(*counts, hold, outcome, self._token, wants, kinds)

    def _forget(self) -> None:
        self._ok = self._failed = 0
        self._kinds.clear()
        self._hold = self._since = 0.0
        self._outcome = ""  # and until there is a verdict on it, it stays urgent


def _believed(verdict: Verdict) -> float:
    if verdict.state is State.CLOSED or verdict.probe:
        return FRESH
    # Not longer, even when open for an hour: a person may close it at any moment.
    longest = SOON if verdict.state is State.HALF_OPEN else FRESH
    return min(longest, verdict.left / 1000)
