from __future__ import annotations

import signal
import time

import pytest

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
    assert spent(Budget("p", (100, 60.0))) == 100


@pytest.mark.parametrize("weight", [1, 3, 10, 100])
def test_requests_cost_their_weight(weight):
    assert spent(Budget("p", (100, 60.0)), weight) == 100 // weight * weight


def test_spending_asks_nobody_until_the_lease_is_used_up(store):
    budget = Budget("p", (100, 60.0), store)
    assert not budget.spend(1)

    assert budget.lease(1) == 0
    store.pool.disconnect()
    assert budget.spend(1)
    assert not budget.spend(1)


def test_what_is_left_of_a_lease_is_not_lost_when_a_heavier_request_comes():
    budget = Budget("p", (100, 60.0))
    budget.lease(1)

    assert budget.lease(2) == 0
    assert budget.spend(1)


def test_empty_budget_says_how_long_to_wait():
    budget = Budget("p", (100, 50.0))
    spent(budget)

    assert budget.lease(1) == 0.5
    assert budget.lease(50) == 1.0


def test_request_heavier_than_the_whole_budget_takes_all_of_it():
    budget = Budget("p", (10, 60.0))

    assert budget.lease(25) == 0
    assert budget.lease(1) > 0


@pytest.mark.parametrize(
    ("rate", "allowed"), [((1, 0.25), 4), ((3, 1.5), 4), ((5, 2.0), 5)]
)
def test_rate_over_parts_of_a_second_is_the_same_rate(rate, allowed):
    assert spent(Budget("p", rate)) == allowed


def test_budget_comes_back_with_time():
    budget = Budget("p", (5, 1.0))
    assert spent(budget) == 5

    deadline = time.monotonic() + 10
    while (wait := budget.lease(1)) and time.monotonic() < deadline:
        time.sleep(wait)

    assert wait == 0


def test_two_budgets_of_one_name_are_one(store):
    a, b = (Budget("p", (100, 60.0), store) for _ in range(2))

    assert spent(a) + spent(b) == 100


def test_budgets_of_two_providers_are_two(store):
    assert spent(Budget("a", (100, 60.0), store)) == 100
    assert spent(Budget("b", (100, 60.0), store)) == 100


PROCESS = """
import sys
from providers.budget import Budget
from providers.store import Store
budget = Budget("p", (1000, 60.0), Store(sys.argv[1]))
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
    budget = Budget("p", (100, 60.0), Store(f"unix://{tmp_path}/nobody"))

    assert spent(budget) == 100 // PROCESSES


def test_store_that_hangs_is_asked_once_and_then_left_alone(mortal_valkey):
    store = Store(mortal_valkey.url)
    budget = Budget("p", (100, 60.0), store)
    budget.lease(1)
    mortal_valkey.signal(signal.SIGSTOP)

    assert spent(budget) == 1 + 100 // PROCESSES
    assert store._away_until > time.monotonic()


def test_store_that_came_back_is_used_again(mortal_valkey, monkeypatch):
    monkeypatch.setattr("providers.store.AWAY", 0.0)
    budget = Budget("p", (100, 60.0), Store(mortal_valkey.url))
    mortal_valkey.stop()
    assert spent(budget) == 100 // PROCESSES
    mortal_valkey.start()

    assert spent(budget) == 100
