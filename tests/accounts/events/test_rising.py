"""A condition is told as it begins, ever less often, and as it ends; never a flood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from accounts.events import Edge, Phase, forgotten, observe, pause
from accounts.events.rising import CALM, FIRST, LONGEST, RANK

START = datetime(2026, 3, 1, tzinfo=UTC)
SEVERITIES = sorted(RANK, key=RANK.__getitem__)


def story(*looks: tuple[float, bool], severity: str = "warning") -> list[str | None]:
    """Return what each look, so many hours after the start, lets be told."""
    edge, told = Edge(), []
    for hours, holds in looks:
        moment = START + timedelta(hours=hours)
        edge, phase = observe(edge, holds, severity, moment)
        told.append(phase)
    return told


def test_what_does_not_hold_is_never_told():
    assert story((0, False), (1, False), (99, False)) == [None, None, None]


def test_what_lasts_is_told_at_growing_intervals():
    told = story(*((hour / 4, True) for hour in range(4 * 200)))

    hours = [number / 4 for number, phase in enumerate(told) if phase]
    assert hours == [0, 6, 18, 42, 90, 138, 186]
    assert told[0] == Phase.BEGAN
    assert {phase for phase in told[1:] if phase} == {Phase.AGAIN}


def test_the_end_is_told_once_and_at_once():
    assert story((0, True), (1, False), (2, False)) == [Phase.BEGAN, Phase.ENDED, None]


def test_what_comes_back_soon_waits_for_its_turn():
    told = story((0, True), (1, False), (2, True), (5.9, True), (6, True))

    assert told == [Phase.BEGAN, Phase.ENDED, None, None, Phase.BEGAN]


def test_an_end_that_nobody_heard_the_beginning_of_is_not_told():
    assert story((0, True), (1, False), (2, True), (3, False))[3] is None


def test_after_a_calm_time_it_begins_anew():
    assert story((0, True), (1, False), (12, True))[2] == Phase.BEGAN
    assert story((0, True), (1, False), (12, True), (18, True))[3] == Phase.AGAIN


def test_what_gets_worse_is_told_at_once():
    edge, _ = observe(Edge(), True, "warning", START)
    soon = START + timedelta(minutes=1)

    worse, phase = observe(edge, True, "critical", soon)

    assert phase == Phase.AGAIN
    assert observe(worse, True, "warning", soon + timedelta(minutes=1))[1] is None


@pytest.mark.parametrize("severity", SEVERITIES)
def test_pauses_grow_up_to_the_longest(severity):
    pauses = [pause(severity, told) for told in range(1, 40)]

    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (FIRST[severity], LONGEST[severity])


class Condition(RuleBasedStateMachine):
    """Looks at any moments, at a condition that comes, goes and gets worse."""

    def __init__(self) -> None:
        super().__init__()
        self.edge, self.now = Edge(), START
        self.holds, self.severity, self.looked = False, "info", False
        self.tells: list[tuple[datetime, Phase, str]] = []

    @rule(seconds=st.integers(0, 400_000))
    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule(severity=st.sampled_from(SEVERITIES))
    def begin(self, severity):
        self.holds, self.severity, self.looked = True, severity, False

    @rule()
    def end(self):
        self.holds, self.looked = False, False

    @rule()
    def look(self):
        before = self.edge
        self.edge, phase = observe(self.edge, self.holds, self.severity, self.now)
        self.looked = True
        if phase:
            self.tells.append((self.now, phase, self.severity))
        if self.holds and not before.holds and forgotten(before, self.now):
            assert phase == Phase.BEGAN  # the first edge is never missed

    @rule()
    def look_twice(self):
        self.look()
        count = len(self.tells)
        self.look()
        assert len(self.tells) == count  # the second look says nothing new

    @rule()
    def look_until_heard(self):
        """Whoever listens learns the truth, at the latest after the longest pause."""
        self.look()
        self.now += max(LONGEST.values())
        self.look()
        assert self.edge.heard == self.holds

    @invariant()
    def beginnings_and_ends_take_turns(self):
        heard = False
        for _, phase, _ in self.tells:
            assert heard == (phase != Phase.BEGAN)
            heard = phase != Phase.ENDED
        assert heard == self.edge.heard

    @invariant()
    def an_end_is_known_as_soon_as_it_is_seen(self):
        if self.looked and not self.holds:
            assert not self.edge.heard

    @invariant()
    def nothing_is_told_again_before_its_pause_is_over_unless_it_is_worse(self):
        told = [tell for tell in self.tells if tell[1] != Phase.ENDED]
        for (at, _, before), (later, _, after) in pairwise(told):
            worse = RANK[after] > RANK[before]
            # After a calm time the worse that was told before counts no more.
            calm = CALM * min(FIRST[severity] for _, _, severity in told)
            assert worse or later - at >= min(FIRST[after], calm)

    @invariant()
    def it_is_no_flood(self):
        """In any time: each pause tells at most once, escalations, and as many ends."""
        if not self.tells:
            return
        length = self.now - self.tells[0][0]
        beginnings = sum(phase != Phase.ENDED for _, phase, _ in self.tells)
        rounds = 1 + length / min(FIRST.values())
        assert beginnings <= rounds * len(SEVERITIES)
        assert len(self.tells) <= 2 * beginnings


TestCondition = Condition.TestCase
TestCondition.settings = settings(max_examples=150, stateful_step_count=50)
