from __future__ import annotations

import signal
import time
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Limit
from providers.budget import PROCESSES, Budget
from providers.store import Store
from tests.providers.test_breaker import in_processes


@pytest.fixture
def store(own_valkey):
    store = Store(own_valkey.url)
    yield store
    store.pool.disconnect()


def spent(budget: Budget, weight: int = 1, tries: int = 1000) -> int:
    """Return how much the budget lets through without waiting."""
    paid = 0
    for _ in range(tries):
        if not budget.spend(weight) and budget.lease(weight):
            break
        paid += weight
    return paid


def test_budget_lets_through_what_it_says_and_no_more():
    assert spent(Budget("p", Limit(100, 60.0))) == 100


@pytest.mark.parametrize("weight", [1, 3, 10, 100])
def test_requests_cost_their_weight(weight):
    assert spent(Budget("p", Limit(100, 60.0)), weight) == 100 // weight * weight


def test_spending_asks_nobody_until_the_lease_is_used_up(store):
    budget = Budget("p", Limit(100, 60.0), store)
    assert not budget.spend(1)

    assert budget.lease(1) == 0
    store.pool.disconnect()
    assert budget.spend(1)
    assert not budget.spend(1)


def test_what_is_left_of_a_lease_is_not_lost_when_a_heavier_request_comes():
    budget = Budget("p", Limit(100, 60.0))
    budget.lease(1)

    assert budget.lease(2) == 0
    assert budget.spend(1)


def test_empty_budget_says_how_long_to_wait():
    budget = Budget("p", Limit(100, 50.0))
    spent(budget)

    assert budget.lease(1) == 0.5
    assert budget.lease(50) == 1.0


def test_request_heavier_than_the_whole_budget_takes_all_of_it():
    budget = Budget("p", Limit(10, 60.0))

    assert budget.lease(25) == 0
    assert budget.lease(1) > 0


@pytest.mark.parametrize(
    ("rate", "allowed"), [((1, 0.25), 4), ((3, 1.5), 4), ((5, 2.0), 5)]
)
def test_rate_over_parts_of_a_second_is_the_same_rate(rate, allowed):
    assert spent(Budget("p", Limit(*rate))) == allowed


def test_budget_comes_back_with_time():
    budget = Budget("p", Limit(5, 1.0))
    assert spent(budget) == 5

    deadline = time.monotonic() + 10
    while (wait := budget.lease(1)) and time.monotonic() < deadline:
        time.sleep(wait)

    assert wait == 0


def test_two_budgets_of_one_name_are_one(store):
    a, b = (Budget("p", Limit(100, 60.0), store) for _ in range(2))

    assert spent(a) + spent(b) == 100


def test_budgets_of_two_providers_are_two(store):
    assert spent(Budget("a", Limit(100, 60.0), store)) == 100
    assert spent(Budget("b", Limit(100, 60.0), store)) == 100


PROCESS = """
import sys
from providers.base import Limit
from providers.budget import Budget
from providers.store import Store
budget = Budget("p", Limit(1000, 60.0), Store(sys.argv[1]))
sys.stdin.readline()
paid = 0
while budget.spend(1) or not budget.lease(1):
    paid += 1
print(paid)
"""


def test_four_processes_share_one_budget(own_valkey):
    paid = [int(text) for text in in_processes(4, PROCESS, own_valkey.url)]

    assert sum(paid) == 1000


def test_without_its_store_each_process_goes_on_with_its_part(tmp_path):
    budget = Budget("p", Limit(100, 60.0), Store(f"unix://{tmp_path}/nobody"))

    assert spent(budget) == 100 // PROCESSES


def test_store_that_hangs_is_asked_once_and_then_left_alone(mortal_valkey):
    store = Store(mortal_valkey.url)
    budget = Budget("p", Limit(100, 60.0), store)
    budget.lease(1)
    mortal_valkey.signal(signal.SIGSTOP)

    assert spent(budget) == 1 + 100 // PROCESSES
    assert store._away_until > time.monotonic()


def test_store_that_came_back_is_used_again(mortal_valkey, monkeypatch):
    monkeypatch.setattr("providers.store.AWAY", 0.0)
    budget = Budget("p", Limit(100, 60.0), Store(mortal_valkey.url))
    mortal_valkey.stop()
    assert spent(budget) == 100 // PROCESSES
    mortal_valkey.start()

    assert spent(budget) == 100


WINDOW = Limit(600, 60.0, kind="window")


@given(
    st.lists(
        st.tuples(st.floats(0, 30), st.floats(0, 1), st.integers(1, 300)), max_size=40
    ),
    st.floats(0, 59),
)
def test_no_window_of_the_provider_counts_more_than_its_limit(steps, offset):
    """Whatever lies between paying and being counted, up to what was allowed for."""
    now, counted = [1_000_000.0], {}
    with patched_clock(now):
        budget = Budget("p", WINDOW)
        for pause, flight, weight in steps:
            now[0] += pause
            if budget.spend(weight) or not budget.lease(weight):
                window = int((now[0] + flight + offset) // 60)
                counted[window] = counted.get(window, 0) + weight

    assert max(counted.values(), default=0) <= WINDOW.weight


@contextmanager
def patched_clock(now):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", lambda: now[0])
        patch.setattr("providers.budget.monotonic", lambda: now[0])
        yield


def test_provider_that_tells_of_an_almost_spent_window_is_left_alone_until_its_end(
    store, monkeypatch
):
    monkeypatch.setattr("providers.budget.time", lambda: 1_000_040.0)  # 0:20
    here, there = (Budget("p", WINDOW, store) for _ in range(2))
    assert here.lease(1) == 0

    here.told(500)
    assert here.spend(1)
    here.told(590)

    assert not here.spend(1)
    assert 39 < here.lease(1) <= 41
    assert 39 < there.lease(1) <= 41
