"""Balances follow from movements, and both survive whatever happens to the process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.money import Asset, MoneyError
from providers.sandbox.clock import Clock, parse, text
from providers.sandbox.journal import Journal
from providers.sandbox.ledger import OUTSIDE, Entry, Holder, Ledger

START = datetime(2026, 1, 1, tzinfo=UTC)
POUNDS, EUROS = Asset("GBP", 2), Asset("EUR", 2)
HOLDERS = ["a", "b", "c"]


def new(journal=None):
    ledger = Ledger(journal)
    ledger.open(*(Holder(id, POUNDS, START) for id in HOLDERS))
    return ledger


def entry(number, source, target, amount, **more):
    moment = START + timedelta(seconds=number)
    return Entry(f"tx_{number}", source, target, amount, moment, **more)


moves = st.lists(
    st.tuples(
        st.sampled_from([*HOLDERS, OUTSIDE]),
        st.sampled_from([*HOLDERS, OUTSIDE]),
        st.integers(1, 10**30),
        st.booleans(),
    ).filter(lambda m: m[0] != m[1]),
    max_size=30,
)


@given(moves)
def test_money_is_neither_made_nor_lost(made):
    ledger = new()
    for number, (source, target, amount, declined) in enumerate(made):
        ledger.move(entry(number, source, target, amount, declined="NO" * declined))

    assert sum(ledger.held.values()) == 0
    for holder in HOLDERS:
        assert ledger.balance(holder) == sum(
            (t == holder) * a - (s == holder) * a
            for s, t, a, declined in made
            if not declined
        )


@given(moves, st.integers(-1, 31))
def test_past_balance_is_what_had_happened_until_then(made, second):
    ledger = new()
    for number, (source, target, amount, _) in enumerate(made):
        ledger.move(entry(number, source, target, amount))
    earlier = new()
    for number, (source, target, amount, _) in enumerate(made[: second + 1]):
        earlier.move(entry(number, source, target, amount))

    at = START + timedelta(seconds=second)

    for holder in HOLDERS:
        assert ledger.balance(holder, at) == earlier.balance(holder)
        assert ledger.of(holder, at) == earlier.of(holder)


@settings(max_examples=30)
@given(moves)
def test_books_read_back_are_the_same_books(tmp_path_factory, made):
    path = tmp_path_factory.mktemp("books") / "bank.jsonl"
    ledger = new(Journal(path))
    for number, (source, target, amount, _) in enumerate(made):
        ledger.move(
            entry(number, source, target, amount, scope="s", dedupe_id=f"{number}")
        )
    ledger.put(("tokens", "t", {"user": "u"}), ("tokens", "gone", 1))
    ledger.put(("tokens", "gone", None))
    ledger.journal.close()

    again = Ledger(Journal(path))

    assert again.held == ledger.held
    assert again.entries == ledger.entries
    assert again.applied == ledger.applied
    assert again.topic("tokens") == {"t": {"user": "u"}}
    again.journal.close()


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_torn_last_line_never_happened(tmp_path, cut):
    path = tmp_path / "bank.jsonl"
    ledger = new(Journal(path))
    ledger.move(entry(1, OUTSIDE, "a", 5))
    whole = path.read_bytes()
    ledger.move(entry(2, OUTSIDE, "a", 7), entry(3, OUTSIDE, "b", 9))
    ledger.journal.close()
    torn = path.read_bytes()[: len(whole) + cut]
    path.write_bytes(torn)

    again = Ledger(Journal(path))

    assert (again.balance("a"), again.balance("b")) == (5, 0)  # all of it or nothing
    again.move(entry(2, OUTSIDE, "a", 1))
    again.journal.close()
    third = Ledger(Journal(path))
    assert third.balance("a") == 6
    third.journal.close()


def test_nothing_happens_twice_under_one_id():
    ledger = new()
    ledger.move(entry(1, OUTSIDE, "a", 5))

    with pytest.raises(ValueError, match="already"):
        ledger.move(entry(1, OUTSIDE, "a", 5))

    assert ledger.balance("a") == 5


@pytest.mark.parametrize(
    ("source", "target", "amount"),
    [
        (OUTSIDE, "a", 0),
        (OUTSIDE, "a", -1),
        (OUTSIDE, "a", 1.5),
        (OUTSIDE, "a", True),
        ("a", "a", 1),
        (OUTSIDE, OUTSIDE, 1),
        ("a", "euros", 1),
    ],
)
def test_what_is_no_movement_of_money_is_refused(source, target, amount):
    ledger = new()
    ledger.open(Holder("euros", EUROS, START))

    with pytest.raises(MoneyError):
        ledger.move(entry(1, source, target, amount))

    assert not ledger.entries


def test_nobody_unknown_takes_part():
    with pytest.raises(LookupError):
        new().move(entry(1, OUTSIDE, "nobody", 1))


def test_settled_entry_may_have_another_amount():
    ledger = new()
    ledger.move(entry(1, OUTSIDE, "a", 100), entry(2, "a", OUTSIDE, 30, settled=False))
    ledger.settle("tx_2", amount=28)
    assert (ledger.balance("a"), ledger.entries["tx_2"].settled) == (72, True)

    ledger.settle("tx_2", declined="REVERSED")
    assert ledger.balance("a") == 100
    assert len(ledger.of("a")) == 2


def test_dedupe_ids_are_remembered_within_their_horizon_and_scope():
    ledger = new()
    ledger.move(entry(1, OUTSIDE, "a", 5, scope="ann", dedupe_id="d"))

    assert ledger.made("ann", "d").id == "tx_1"
    assert ledger.made("bob", "d") is None
    assert ledger.made("ann", "d", since=START + timedelta(seconds=1)).id == "tx_1"
    assert ledger.made("ann", "d", since=START + timedelta(seconds=2)) is None


def test_entries_are_in_the_order_of_their_moments_and_of_their_coming():
    ledger = new()
    for number, moment in ((1, 5), (2, 3), (3, 5), (4, 3)):
        when = START + timedelta(seconds=moment)
        ledger.move(Entry(f"tx_{number}", OUTSIDE, "a", 1, when))

    assert [e.id for e in ledger.of("a")] == ["tx_2", "tx_4", "tx_1", "tx_3"]


def test_clock_moves_stands_still_and_returns():
    clock = Clock()
    before = clock.now()
    clock.advance(3600)
    assert timedelta(hours=1) <= clock.now() - before < timedelta(hours=1, seconds=5)

    clock.set(START)
    assert START <= clock.now() < START + timedelta(seconds=5)

    clock.freeze(START)
    assert clock.now() == START
    clock.advance(1)
    assert clock.now() == START + timedelta(seconds=1)
    with clock.skewed(-10):
        assert clock.now() == START - timedelta(seconds=9)
    assert clock.now() == START + timedelta(seconds=1)

    clock.reset()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


@given(st.integers(631_152_000_000_000, 4_102_444_800_000_000))
def test_moments_are_written_as_they_are_read(microseconds):
    moment = START + timedelta(microseconds=microseconds - 1_767_225_600_000_000)
    rounded = moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    assert parse(text(moment)) == rounded


def test_moment_without_a_zone_is_none():
    with pytest.raises(ValueError, match="zone"):
        parse("2026-01-01T00:00:00")
