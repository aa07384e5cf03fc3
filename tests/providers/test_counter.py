"""A counter never lets a provider count further than its limit, and wastes no room."""

from __future__ import annotations

from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Limit
from providers.budget import PROCESSES
from providers.counter import SPARE, Counter, Leak
from providers.store import Store

LIMIT = Limit(15, 45.0, kind="counter", per="credential")


@pytest.fixture
def store(own_valkey):
    store = Store(own_valkey.url)
    yield store
    store.pool.disconnect()


class TheirCounter:
    """What the provider counts, a moment later than it was paid here."""

    def __init__(self, limit: Limit) -> None:
        self.most, self.sinks = limit.weight, limit.weight / limit.seconds / 1000
        self.level, self.at, self.highest = 0.0, 0.0, 0.0

    def add(self, weight: float, at: float) -> None:
        at = max(at, self.at)
        self.level = max(0.0, self.level - (at - self.at) * self.sinks) + weight
        self.at, self.highest = at, max(self.highest, self.level)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 20_000),  # milliseconds since the last one
        st.sampled_from([1, 1, 1, 2, 5]),
        st.integers(0, 2_000),  # milliseconds until the provider counts it
    ),
    max_size=80,
)


@given(STEPS)
def test_provider_never_counts_beyond_its_limit(steps):
    now = [0.0]
    ours = Leak(LIMIT.weight * (1 - SPARE), 15 / 45_000, lambda: now[0])
    theirs = TheirCounter(LIMIT)
    for pause, weight, flight in steps:
        now[0] += pause
        if not ours.add(weight):
            theirs.add(weight, now[0] + flight)

    assert theirs.highest <= LIMIT.weight


@given(st.integers(1, 14), st.integers(0, 14))
def test_wait_is_exactly_what_is_missing(weight, level):
    now = [0.0]
    leak = Leak(14.25, 1 / 3000, lambda: now[0], level=float(level))
    wait = leak.add(weight)

    if wait:
        now[0] = wait - 2
        assert leak.add(weight) > 0
        now[0] = wait
    assert leak.add(weight) == 0 or not wait


def test_saturated_counter_uses_all_of_the_rate():
    now, paid = [0.0], 0
    leak = Leak(LIMIT.weight * (1 - SPARE), 15 / 45_000, lambda: now[0])
    while now[0] < 3_600_000:
        wait = leak.add(1)
        paid += not wait
        now[0] += wait

    assert paid >= 0.99 * 3600 / 3


def spent(counter: Counter) -> int:
    paid = 0
    while not counter.lease(1):
        paid += 1
    return paid


def test_counter_is_one_for_all_processes(store):
    here, there = (Counter("k", LIMIT, store) for _ in range(2))

    assert spent(here) + spent(there) == floor(15 * (1 - SPARE))
    assert 0 < here.lease(1) <= 3.0
    assert spent(Counter("another", LIMIT, store)) == 14


def test_counter_survives_a_restart(store):
    spent(Counter("k", LIMIT, store))

    assert spent(Counter("k", LIMIT, store)) == 0


def test_counter_sinks_although_the_clock_was_put_back(store):
    counter = Counter("k", LIMIT, store)
    spent(counter)
    tomorrow = int((store.redis.time()[0] + 86_400) * 1000)
    store.redis.hset("leak:k", "at", tomorrow)

    assert counter.lease(1) > 0
    # What has passed since then, by the clock as it is now, counts.
    assert int(store.redis.hget("leak:k", "at")) < tomorrow
    earlier = int(store.redis.hget("leak:k", "at")) - 45_000
    store.redis.hset("leak:k", "at", earlier)
    assert counter.lease(1) == 0


def test_free_request_is_not_counted(store):
    counter = Counter("k", LIMIT, store)
    spent(counter)

    assert counter.spend(0)
    assert not counter.spend(1)


def test_request_heavier_than_the_counter_takes_all_of_it(store):
    assert Counter("k", LIMIT, store).lease(40) == 0


def test_hold_keeps_all_processes_away(store):
    here, there = (Counter("k", LIMIT, store) for _ in range(2))

    here.hold(100)

    assert 99 < here.lease(1) <= 100
    assert 99 < there.lease(1) <= 100


def test_longer_hold_counts_whichever_came_first(store):
    here, there = (Counter("k", LIMIT, store) for _ in range(2))

    for seconds in (10, 100, 20):
        here.hold(seconds)

    assert 99 < there.lease(1) <= 100


def test_without_the_store_each_process_goes_on_with_its_part(tmp_path):
    counter = Counter("k", LIMIT, Store(f"unix://{tmp_path}/nobody"))

    assert spent(counter) == floor(14.25 / PROCESSES)
