"""Turns and nonces of one set of credentials, taken by several processes."""

from __future__ import annotations

import time

import pytest

from providers.numbers import Numbers, Taken
from providers.store import Store
from tests.providers.test_breaker import in_processes


@pytest.fixture
def store(own_valkey):
    store = Store(own_valkey.url)
    yield store
    store.pool.disconnect()


def test_nonce_is_near_the_time_in_nanoseconds(store):
    taken = Numbers(store, "k").take(5)

    assert taken.mine
    assert abs(taken.nonce / 10**9 - time.time()) < 60


def test_one_at_a_time_has_the_turn(store):
    mine, other = Numbers(store, "k"), Numbers(store, "k")
    first = mine.take(5)

    assert other.take(5) == Taken(mine=False)
    assert Numbers(store, "another").take(5).mine

    mine.give()
    assert other.take(5).nonce > first.nonce


def test_turn_of_a_dead_process_ends_by_itself(store):
    Numbers(store, "k").take(0.001)
    heir = Numbers(store, "k")
    while not (taken := heir.take(5)).mine:
        pass

    assert taken.nonce


def test_turn_that_somebody_else_has_by_now_is_not_given_away(store):
    late, heir, third = (Numbers(store, "k") for _ in range(3))
    late.take(0.001)
    while not heir.take(5).mine:
        pass

    late.give()

    assert not third.take(5).mine


def test_nonces_grow_though_the_clock_goes_back(store, monkeypatch):
    numbers = Numbers(store, "k")
    found = []
    for moment in (5_000_000, 5_000_000, 4_000_000, 1, 9_000_000):
        monkeypatch.setattr("providers.numbers.time_ns", lambda moment=moment: moment)
        found.append(numbers.take(5).nonce)

    assert found == [5_000_000, 5_001_000, 5_002_000, 5_003_000, 9_000_000]


def test_without_the_store_everybody_goes_ahead_alone(tmp_path):
    numbers = Numbers(Store(f"unix://{tmp_path}/nobody"), "k")

    assert numbers.take(5) == Taken(mine=True, nonce=None)
    numbers.give()


PROCESS = """
import sys
from providers.numbers import Numbers
from providers.store import Store
numbers, found = Numbers(Store(sys.argv[1]), "k"), []
redis = numbers.store.redis
sys.stdin.readline()
while len(found) < 50:
    taken = numbers.take(30)
    if taken.mine:
        redis.rpush("order", taken.nonce)
        found.append(taken.nonce)
        numbers.give()
print(len(found))
"""


def test_requests_of_four_processes_arrive_in_the_order_of_their_nonces(
    own_valkey, store
):
    assert in_processes(4, PROCESS, own_valkey.url) == ["50"] * 4

    order = [int(nonce) for nonce in store.redis.lrange("order", 0, -1)]
    assert len(order) == 200
    assert order == sorted(set(order))
