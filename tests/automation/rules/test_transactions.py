from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from automation.rules import MovementSeen, TriggerSpec
from automation.rules.payday import transactions

NOW = datetime(2026, 1, 30, 12, tzinfo=UTC)
COFFEE = MovementSeen(
    "tx_1",
    -350,
    "GBP/2",
    created=NOW - timedelta(hours=30),
    settled=NOW - timedelta(hours=2),
    description="BEANS 042 LONDON",
    merchant="Beans & Co",
    category="eating_out",
    account="main",
)
ANY = TriggerSpec("transaction")


def found(*movements, trigger=ANY, since=NOW - timedelta(days=90)):
    return transactions(trigger, movements, asset="GBP/2", now=NOW, since=since)


def keys(*movements, **more):
    return [each.key for each in found(*movements, **more)]


def test_each_transaction_is_an_occurrence_named_by_account_and_id():
    again = replace(COFFEE, external_id="tx_2")

    assert keys(again, COFFEE) == ["transaction:main:tx_1", "transaction:main:tx_2"]
    assert keys(replace(COFFEE, account="other")) == ["transaction:other:tx_1"]


def test_it_carries_how_much_moved_with_its_sign_and_when_it_settled():
    (occurrence,) = found(COFFEE)

    assert (occurrence.amount, occurrence.happened) == (-350, COFFEE.settled)
    assert occurrence.reason == "Transaction: Beans & Co"


def test_the_older_comes_first():
    older = replace(COFFEE, external_id="tx_9", settled=NOW - timedelta(hours=3))

    assert keys(COFFEE, older) == ["transaction:main:tx_9", "transaction:main:tx_1"]


@pytest.mark.parametrize(
    "change",
    [
        {"settled": None},  # a card payment may still change, or never be taken
        {"declined": True},
        {"pot": "pot_1"},
        {"ours": True},
        {"amount": 0},
        {"asset": "EUR/2"},
    ],
)
def test_what_has_not_moved_or_is_our_own_starts_nothing(change):
    assert keys(replace(COFFEE, **change)) == []


@pytest.mark.parametrize("amount", [350, -350])
@pytest.mark.parametrize(
    ("bounds", "fits"),
    [
        ({"min_amount": 350}, True),
        ({"min_amount": 351}, False),
        ({"max_amount": 350}, True),
        ({"max_amount": 349}, False),
    ],
)
def test_amounts_bound_how_much_moved_whichever_way(amount, bounds, fits):
    trigger = replace(ANY, **bounds)

    assert bool(keys(replace(COFFEE, amount=amount), trigger=trigger)) is fits


@pytest.mark.parametrize(
    ("words", "fits"),
    [
        ({"pattern": "beans 042"}, True),
        ({"pattern": "tea"}, False),
        ({"merchant": "BEANS"}, True),
        ({"merchant": "london"}, False),
        ({"category": "Eating_Out"}, True),
        ({"category": "eating"}, False),
    ],
)
def test_pattern_merchant_and_category_have_to_fit(words, fits):
    assert bool(keys(COFFEE, trigger=replace(ANY, **words))) is fits


def test_the_look_back_counts_from_when_it_settled():
    trigger = replace(ANY, look_back_days=1)

    assert keys(COFFEE, trigger=trigger)
    old = replace(COFFEE, settled=NOW - timedelta(days=1, seconds=1))
    assert keys(old, trigger=trigger) == []


def test_what_settled_before_the_trigger_began_to_count_is_left_alone():
    assert keys(COFFEE, since=COFFEE.settled)
    assert keys(COFFEE, since=COFFEE.settled + timedelta(seconds=1)) == []
