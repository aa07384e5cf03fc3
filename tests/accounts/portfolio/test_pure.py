"""Adding up what is held, in one asset: exact, whole, and never by a guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from operator import attrgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.portfolio.over_time import Sum, course
from accounts.portfolio.rates import Rate, RateCycle, RateError, Table
from accounts.portfolio.total import Holding, Portfolio, Status, Why, apportion
from providers.money import Asset

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
GBP, EUR, JPY = Asset("GBP", 2), Asset("EUR", 2), Asset("JPY", 0)
BTC, DOGE = Asset("BTC", 8), Asset("DOGE", 8)
ASSETS = [GBP, EUR, JPY, BTC, DOGE]
few = settings(max_examples=40)


def rate(base: str, quote: str, value, *, age=timedelta(), good_for=HOUR) -> Rate:
    return Rate(base, quote, Fraction(value), NOON - age, "typed", good_for)


def table() -> Table:
    """Return rates to pounds: one of them the other way round, one with one between."""
    return Table(
        [
            rate("EUR", "GBP", "0.85"),
            rate("GBP", "JPY", "200"),
            rate("BTC", "EUR", "50000.5"),
        ]
    )


def held(asset: Asset, total: int | None, **more) -> Holding:
    return Holding(more.pop("key", "one"), "somewhere", asset, total, **more)


def worth(*holdings: Holding, rates: Table | None = None) -> Portfolio:
    return Portfolio(holdings, GBP, rates or table(), NOON)


amounts = st.integers(-(10**40), 10**40)
holdings = st.builds(
    Holding,
    key=st.integers(),
    provider=st.sampled_from("abc"),
    asset=st.sampled_from(ASSETS),
    total=st.one_of(st.none(), amounts),
    stale=st.booleans(),
    past=st.one_of(st.none(), amounts),
    confirmed=st.booleans(),
    closed=st.booleans(),
)


def test_total_of_what_somebody_told_only_in_part_is_partial():
    everything = [held(GBP, 5)]

    assert worth(*everything).status == Status.OK
    found = Portfolio(everything, GBP, table(), NOON, whole=False)
    assert (found.status, found.total) == (Status.PARTIAL, 5)


@few
@given(st.lists(holdings, max_size=8))
def test_total_is_the_sum_of_what_can_be_valued_and_names_the_rest(rows):
    found = worth(*rows)
    per = {"GBP": 1, "EUR": Fraction("0.85"), "JPY": Fraction(100, 200)}
    per["BTC"] = Fraction("50000.5") * per["EUR"] / 10**6
    open_rows = [row for row in rows if not row.closed]
    known = [r for r in open_rows if r.total is not None and r.asset != DOGE]

    exact = sum((row.total * per[row.asset.code] for row in known), Fraction())

    assert found.total == (round(exact) if known else None)
    lacking = {id(d.holding) for d in found.doubts if d.why in ("unknown", "no_rate")}
    assert lacking == {id(row) for row in open_rows} - {id(row) for row in known}
    doubted = lacking or any(row.stale for row in known)
    assert (found.status == Status.OK) == bool(known and not doubted)


@few
@given(st.lists(holdings, max_size=8), st.sampled_from(["provider", "asset"]))
def test_groups_come_to_the_total_to_the_last_unit(rows, name):
    found = worth(*rows)

    shares = found.shares(attrgetter(name))

    counted = [share.value for share in shares if share.value is not None]
    assert (sum(counted) if counted else None) == found.total
    assert sum(len(share.holdings) for share in shares) == len(found.holdings)


@few
@given(st.lists(st.fractions(max_denominator=1000), max_size=6))
def test_no_part_is_off_by_a_whole_unit(values):
    parts = apportion(values)

    assert sum(parts) == round(sum(values, Fraction()))
    assert all(abs(part - v) < 1 for part, v in zip(parts, values, strict=True))


@few
@given(st.lists(holdings, max_size=8))
def test_change_compares_the_same_accounts_and_names_all_others(rows):
    found = worth(*rows)
    named = {id(doubt.holding) for doubt in found.not_compared}
    same = [row for row in rows if id(row) not in named]

    if found.change is None:
        assert same == []
        return
    assert found.change.now == worth(*same).total
    then = [held(row.asset, row.past) for row in same]
    assert found.change.then == worth(*then).total
    assert all(row.past is not None and row.confirmed for row in same)


def test_account_without_a_past_does_not_look_like_a_gain():
    new = held(GBP, 500_00, key="new")

    found = worth(held(GBP, 110_00, past=100_00), new)

    assert found.total == 610_00
    assert (found.change.difference, found.change.percent) == (10_00, Decimal(10))
    assert [(d.holding, d.why) for d in found.not_compared] == [(new, Why.NO_PAST)]


def test_rates_move_no_change():
    found = worth(held(BTC, 10**8, past=10**8))

    assert found.change.difference == 0


@pytest.mark.parametrize(
    ("code", "base", "value"),
    [
        ("GBP", "GBP", 1),
        ("EUR", "GBP", Fraction("0.85")),
        ("JPY", "GBP", Fraction(1, 200)),  # the rate the other way round
        ("BTC", "GBP", Fraction("50000.5") * Fraction("0.85")),  # one between
        ("BTC", "JPY", None),  # two between would be a guess
        ("DOGE", "GBP", None),
    ],
)
def test_worth_is_by_a_rate_or_one_in_between_or_unknown(code, base, value):
    found = table().worth(code, base)

    assert (found and found.value) == value


@pytest.mark.parametrize(
    ("base", "quote", "value", "error"),
    [
        ("GBP", "EUR", 1, RateCycle),  # the inverse is known
        ("GBP", "BTC", 1, RateCycle),  # there is a way through EUR
        ("GBP", "GBP", 1, RateError),
        ("DOGE", "GBP", 0, RateError),
        ("DOGE", "GBP", -1, RateError),
    ],
)
def test_rate_that_could_contradict_another_is_refused(base, quote, value, error):
    with pytest.raises(error):
        table().add(rate(base, quote, value))


class Tickers:
    """A source that says everything otherwise, and one thing more."""

    def rates(self):
        return [rate("EUR", "GBP", 9), rate("BTC", "GBP", 9), rate("DOGE", "GBP", 2)]


class Typed:
    def rates(self):
        return [rate("EUR", "GBP", "0.85"), rate("BTC", "EUR", "50000.5")]


def test_earlier_source_is_never_contradicted_by_a_later_one():
    found = Table.of(Typed(), Tickers())

    assert found.worth("EUR", "GBP").value == Fraction("0.85")
    assert found.worth("BTC", "GBP") == table().worth("BTC", "GBP")
    assert found.worth("DOGE", "GBP").value == 2


def test_old_rate_counts_and_is_said_to_be_old():
    old = Table([rate("EUR", "GBP", 1, age=2 * HOUR)])
    peg = Table([rate("EUR", "GBP", 1, age=999 * HOUR, good_for=None)])

    found = worth(held(EUR, 5), rates=old)

    assert (found.total, found.status) == (5, Status.STALE)
    assert [doubt.why for doubt in found.doubts] == [Why.STALE_RATE]
    assert worth(held(EUR, 5), rates=peg).status == Status.OK


def test_line_ends_where_an_account_joins_and_keeps_no_column_without_news():
    sums = [
        Sum(0, GBP, 100, "a"),
        Sum(1, GBP, 100, "a"),
        Sum(2, GBP, 90, "a"),
        Sum(3, EUR, 100, "b"),
        Sum(3, GBP, 90, "a"),
        Sum(3, DOGE, 7, "c"),
    ]

    drawn = course(sums, GBP, table(), 10 * HOUR)

    lines = [[(c.at, c.last) for c in run.columns] for run in drawn.runs]
    assert lines == [[(0, 100), (2, 90)], [(3, 175)]]
    assert [run.end for run in drawn.runs] == [2, 3]
