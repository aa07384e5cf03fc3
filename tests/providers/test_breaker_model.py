"""The shared circuit breaker as two processes meet it, by the rules it promises.

The model knows no code of it: only that the fifth failure opens where half of what was
asked lately failed, and that nothing else does; that nobody passes while it is open, that
one probe goes out at a time, and what each outcome of a probe does.
"""

from __future__ import annotations

import uuid

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from providers.breaker import Report, SharedBreaker, State, Thresholds, Verdict
from providers.store import Store

# Milliseconds, as the circuit promises them.
START, WINDOW, PAUSE = 1_700_000_000_000, 10_000, 2_000
LONGEST, LEASE = 60_000, 20_000
PROCESSES = st.sampled_from(["one", "two"])


class TwoProcesses(RuleBasedStateMachine):
    """Each has its own connection to one Valkey, whose clock is ours."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        name = uuid.uuid4().hex
        self.sides = {
            who: SharedBreaker(Store(self.url), name, Thresholds())
            for who in ("one", "two")
        }
        self.now = START
        # The second, how many went well, and how many failed.
        self.asked: list[tuple[int, int, int]] = []
        self.until: int | None = None  # it is open up to then; None: it is not
        self.pause = 0  # the last one
        self.closed_at: int | None = None  # by a probe
        self.probe: tuple[str, int] | None = None  # whose, and when it counts as lost
        self.half_open = False

    def say(self, who: str, **report: object) -> Verdict:
        told = Report(token=who, **report)
        return self.sides[who]._exchange(told, now=self.now)

    def too_many(self) -> bool:
        lately = [row for row in self.asked if row[0] > self.now - WINDOW]
        failed = sum(row[2] for row in lately)
        return failed >= 5 and failed >= sum(row[1] for row in lately)

    def opens(self, again: bool) -> None:
        self.pause = min(LONGEST, self.pause * 2) if again else PAUSE
        self.until, self.half_open, self.probe = self.now + self.pause, False, None
        self.asked = []

    @rule(who=PROCESSES, ok=st.integers(0, 9), failed=st.integers(0, 6))
    def requests_end(self, who: str, ok: int, failed: int) -> None:
        self.say(who, ok=ok, failed=failed)
        if self.until is None and not self.half_open:
            self.asked.append((self.now - self.now % 1000, ok, failed))
            if failed and self.too_many():
                since = LONGEST + 1
                if self.closed_at is not None:
                    since = self.now - self.closed_at
                self.opens(again=since <= LONGEST)

    @rule(milliseconds=st.sampled_from([1, 500, 1_999, 2_000, 4_000, 20_000, 60_000]))
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds
        if self.until is not None and self.now >= self.until:
            self.until, self.half_open = None, True

    @rule(who=PROCESSES)
    def wants_to_send(self, who: str) -> None:
        told = self.say(who, wants=True)
        if self.until is not None:
            assert (told.state, told.probe) == (State.OPEN, False)
            assert told.left == self.until - self.now
        elif self.half_open:
            free = self.probe is None or self.now >= self.probe[1]
            assert (told.state, told.probe) == (State.HALF_OPEN, free)
            if free:
                self.probe = who, self.now + LEASE
        else:
            assert (told.state, told.probe) == (State.CLOSED, False)

    @precondition(lambda self: self.half_open)
    @rule(who=PROCESSES, outcome=st.sampled_from(["ok", "failed", "unused"]))
    def probe_comes_back(self, who: str, outcome: str) -> None:
        self.say(who, outcome=outcome)
        if self.probe is None or self.probe[0] != who:
            return  # nobody believes who was not sent
        if outcome == "ok":
            self.half_open, self.probe, self.closed_at = False, None, self.now
            self.asked = []
        elif outcome == "failed":
            self.opens(again=True)
        else:
            self.probe = None

    @invariant()
    def both_see_the_same(self) -> None:
        one, two = (self.say(who) for who in self.sides)
        expected = State.CLOSED
        if self.until is not None:
            expected = State.OPEN
        elif self.half_open:
            expected = State.HALF_OPEN
        assert (one.state, two.state) == (expected, expected)

    def teardown(self) -> None:
        for side in self.sides.values():
            side.store.redis.close()


def test_two_processes_meet_the_circuit_that_is_promised(own_valkey):
    TwoProcesses.url = own_valkey.url
    run_state_machine_as_test(
        TwoProcesses,
        settings=settings(
            max_examples=max(40, settings.default.max_examples // 3),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
