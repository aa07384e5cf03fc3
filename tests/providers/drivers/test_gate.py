from __future__ import annotations

import signal
import threading
import time
import uuid

import pytest

from providers.breaker import LocalBreaker, Report, SharedBreaker, State
from providers.drivers import gate as gate_module
from providers.drivers.gate import Gate
from providers.errors import CircuitOpen
from providers.store import Store


class Counted(LocalBreaker):
    """A local circuit that remembers what it was told."""

    def __init__(self, clock) -> None:
        super().__init__(clock=clock)
        self.reports: list[Report] = []

    def exchange(self, report: Report):
        self.reports.append(report)
        return super().exchange(report)


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Counted(clock)


@pytest.fixture
def gate(breaker):
    return Gate(breaker)


def fail(gate: Gate, times: int = 5) -> None:
    for _ in range(times):
        gate.leave(ok=False)
    gate.refresh()


def half_open(gate: Gate, clock: Clock) -> None:
    fail(gate)
    clock.now += 2_000
    gate.flush()


def test_new_gate_has_to_ask_first(gate):
    assert not gate.fresh
    assert not gate.passable


def test_closed_circuit_is_asked_about_once_not_for_every_request(gate, breaker):
    gate.refresh()
    for _ in range(1000):
        assert gate.fresh
        assert gate.enter() is False
        gate.leave(ok=True)

    assert len(breaker.reports) == 1


def test_counts_are_told_together(gate, breaker):
    gate.refresh()
    for _ in range(30):
        gate.leave(ok=True)
    gate.leave(ok=False)
    gate.flush()

    assert (breaker.reports[-1].ok, breaker.reports[-1].failed) == (30, 1)
    gate.flush()
    assert (breaker.reports[-1].ok, breaker.reports[-1].failed) == (0, 0)


def test_verdict_is_looked_at_again_after_a_second(gate, monkeypatch):
    gate.refresh()
    later = time.monotonic() + gate_module.FRESH
    monkeypatch.setattr(gate_module, "monotonic", lambda: later)

    assert not gate.fresh
    assert gate.passable  # it may go ahead while a newer one is fetched


def test_old_verdict_is_not_gone_ahead_on(gate, monkeypatch):
    gate.refresh()
    later = time.monotonic() + gate_module.OLD
    monkeypatch.setattr(gate_module, "monotonic", lambda: later)

    assert not gate.passable


def test_several_failures_are_told_at_once(gate):
    gate.refresh()
    for _ in range(gate_module.MANY):
        gate.leave(ok=False)

    assert not gate.fresh
    assert not gate.passable


def test_open_circuit_lets_nobody_in_and_says_until_when(gate):
    fail(gate)

    with pytest.raises(CircuitOpen) as raised:
        gate.enter()
    assert raised.value.retry_after == 2.0


def test_half_open_circuit_lets_one_in(gate, clock):
    half_open(gate, clock)
    gate.refresh()

    assert gate.enter() is True
    with pytest.raises(CircuitOpen):
        gate.enter()


def test_of_many_threads_one_sends_the_probe(gate, clock):
    half_open(gate, clock)
    gate.refresh()
    found, start = [], threading.Barrier(16)

    def knock():
        start.wait()
        try:
            found.append(gate.enter())
        except CircuitOpen:
            found.append(False)

    threads = [threading.Thread(target=knock) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == [False] * 15 + [True]


@pytest.mark.parametrize(("ok", "state"), [(True, State.CLOSED), (False, State.OPEN)])
def test_outcome_of_the_probe_decides(gate, clock, ok, state):
    half_open(gate, clock)
    gate.refresh()
    gate.leave(ok=ok, probe=gate.enter())

    assert not gate.fresh
    gate.refresh()
    assert gate.state().state is state


def test_probe_that_was_not_sent_is_handed_back(gate, clock):
    half_open(gate, clock)
    gate.refresh()
    gate.enter()
    gate.withdraw()
    gate.refresh()

    assert gate.enter() is True


def test_probe_nobody_came_for_is_handed_back(gate, breaker, clock):
    half_open(gate, clock)
    gate.refresh()
    gate.flush()

    assert breaker.exchange(Report(token="you", wants=True)).probe


def test_wish_to_be_left_alone_closes_the_gate(gate):
    gate.refresh()
    gate.leave(ok=False, hold=33.0)
    gate.refresh()

    with pytest.raises(CircuitOpen) as raised:
        gate.knock()
    assert raised.value.retry_after == 33.0


def test_counts_from_long_ago_are_not_told_as_news(gate, breaker, monkeypatch):
    gate.refresh()
    gate.leave(ok=False)
    later = time.monotonic() + gate_module.OLD + 1
    monkeypatch.setattr(gate_module, "monotonic", lambda: later)
    gate.refresh()

    assert breaker.reports[-1].failed == 0


def test_person_opens_the_way_again(gate):
    fail(gate)
    gate.reset()
    gate.refresh()

    assert gate.enter() is False
    assert gate.state().state is State.CLOSED


def test_looking_at_the_state_changes_nothing(gate, clock):
    half_open(gate, clock)

    assert gate.state().state is State.HALF_OPEN
    assert gate.state().left == 0
    gate.refresh()
    assert gate.enter() is True


def test_other_process_sees_the_circuit_this_one_opened(own_valkey):
    name = uuid.uuid4().hex
    here, there = (Gate(SharedBreaker(Store(own_valkey.url), name)) for _ in range(2))
    fail(here)
    there.refresh()

    with pytest.raises(CircuitOpen):
        there.enter()


def test_store_that_hangs_delays_nobody_for_long(mortal_valkey):
    gate = Gate(SharedBreaker(Store(mortal_valkey.url), "bank"))
    gate.refresh()
    mortal_valkey.signal(signal.SIGSTOP)
    began = time.monotonic()
    for _ in range(20):
        gate.flush()

    assert gate.enter() is False
    assert time.monotonic() - began < 5


def test_circuit_still_opens_while_the_store_is_down(mortal_valkey):
    gate = Gate(SharedBreaker(Store(mortal_valkey.url), "bank"))
    gate.refresh()
    mortal_valkey.stop()
    fail(gate)

    with pytest.raises(CircuitOpen):
        gate.enter()


class Thoughtful(LocalBreaker):
    """A circuit whose verdict takes until somebody lets it speak."""

    def __init__(self) -> None:
        super().__init__()
        self.told, self.speak = threading.Event(), threading.Event()
        self.speak.set()

    def exchange(self, report: Report):
        verdict = super().exchange(report)
        self.told.set()
        self.speak.wait(20)
        return verdict


@pytest.mark.parametrize("known", [0, 3])
def test_nobody_passes_unasked_while_the_failures_that_open_it_are_told(known):
    breaker = Thoughtful()
    gate = Gate(breaker)
    for _ in range(known):
        gate.leave(ok=False)
    gate.refresh()
    breaker.told.clear()
    breaker.speak.clear()
    for _ in range(5 - known):
        gate.leave(ok=False)

    telling = threading.Thread(target=gate.flush)
    telling.start()
    breaker.told.wait(20)
    fresh = gate.fresh
    breaker.speak.set()
    telling.join()

    assert not fresh
    with pytest.raises(CircuitOpen):
        gate.enter()


def test_few_failures_among_many_successes_hold_nobody_up(gate):
    for _ in range(20):
        gate.leave(ok=True)
    gate.refresh()
    for _ in range(4):
        gate.leave(ok=False)

    assert gate.fresh


def test_success_holds_nobody_up_when_what_went_well_before_is_forgotten(gate, clock):
    for _ in range(26):
        gate.leave(ok=True)
    gate.flush()
    clock.now += 2_000
    fail(gate, times=12)
    clock.now += 9_000
    gate.flush()

    gate.leave(ok=True)

    assert gate.fresh
    assert not gate.enter()
